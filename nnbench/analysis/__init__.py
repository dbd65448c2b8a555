"""What a network computes, taken apart: functions of models and layers, without training."""
