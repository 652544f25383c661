"""rnagen: a flow-matching generative model of RNA 3D structure."""

__version__ = "0.1.0"
