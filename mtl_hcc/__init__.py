"""Multi-task prediction of microvascular invasion and survival in hepatocellular carcinoma."""

__version__ = "0.1.0"
