"""What a user hears when the input cannot be used."""


class InputError(ValueError):
    """Unusable input, said in one sentence: what was expected, what was got, where, what to do."""


class InputWarning(UserWarning):
    """Usable input that is probably not what was meant."""
