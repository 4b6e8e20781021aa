"""The field's vocabulary: annotate a law's arguments with these.

Inputs and predictions carry a unit and a support; parameters carry a support and a typical range,
the 5 % and 95 % points over the literature. Where none fits, ``Annotated[Array, Parameter(...)]``.
"""

from typing import Annotated

from jax import Array

from jaxlaws._law import Parameter, Variable
from jaxlaws._support import interval, positive, real, simplex, unit

# Inputs
Params = Annotated[Array, Variable("parameters", typical=(1e3, 1e15))]
Tokens = Annotated[Array, Variable("tokens", typical=(1e3, 1e17))]
UniqueTokens = Annotated[Array, Variable("unique tokens", typical=(1e3, 1e17))]
FLOP = Annotated[Array, Variable("FLOP", typical=(1e9, 1e32))]
Steps = Annotated[Array, Variable("steps")]
Examples = Annotated[Array, Variable("examples")]
Ratio = Annotated[Array, Variable("tokens per parameter")]
Mixture = Annotated[Array, Variable("share", simplex, size=(None,))]
Schedule = Annotated[Array, Variable("learning rate", interval(0.0, 10.0), size=(None,))]
Curve = Annotated[Array, Variable("curve number", real)]
Scale = Annotated[Array, Variable("scale")]
CrossEntropy = Annotated[Array, Variable("nats/token")]

# Predictions
Loss = Annotated[Array, Variable("nats/token", typical=(0.02, 16.0), name="L")]
BitsPerByte = Annotated[Array, Variable("bits/byte", typical=(0.02, 9.0), name="bpb")]
ErrorRate = Annotated[Array, Variable("error rate", unit, space="natural", name="error")]
Accuracy = Annotated[
    Array, Variable("accuracy", unit, space="natural", higher_is_better=True, name="accuracy")
]
Signed = Annotated[Array, Variable("nats/token", real, space="natural", name="L")]
Positive = Annotated[Array, Variable("", name="y")]

# Parameters
Entropy = Annotated[Array, Parameter("nats/token", positive, (0.2, 4.0))]
Amplitude = Annotated[Array, Parameter("", positive, (1.0, 1e6))]
Exponent = Annotated[Array, Parameter("", positive, (0.03, 1.5))]
Slope = Annotated[Array, Parameter("", real, (-1.0, 1.0))]
Characteristic = Annotated[Array, Parameter("", positive, (1e6, 1e18))]
Rate = Annotated[Array, Parameter("", positive, (0.05, 20.0))]
Share = Annotated[Array, Parameter("", unit, (0.05, 0.95))]
Epochs = Annotated[Array, Parameter("epochs", positive, (1.0, 100.0))]
