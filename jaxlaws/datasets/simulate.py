"""The generator of the embedded table: IsoFLOP runs simulated from the Chinchilla law.

`python -m jaxlaws.datasets.simulate` writes `tables/simulated_chinchilla.csv` again. Nothing in the
table is measured: it exists so that examples and tests run without a network, on data whose law,
constants and noise are known.
"""

from pathlib import Path

import numpy as np

# Besiroglu et al. (2024), as printed: the constants that fits of this table should recover.
E, A, B, ALPHA, BETA = 1.8172, 482.01, 2085.43, 0.3478, 0.3658
BUDGETS = (6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21)
SIZES = np.geomspace(0.15, 6.0, 9)  # multiples of the compute-optimal model
NOISE = 0.004  # standard deviation of the log loss
TAIL = 5  # degrees of freedom of the Student-t noise
SEED = 20240416

TABLE = Path(__file__).parent / "tables" / "simulated_chinchilla.csv"


def optimal_params(flops: float) -> float:
    r"""Return the model size with the least loss at a budget $C = 6 N D$.

    $$N = G (C/6)^{\beta/(\alpha+\beta)}, \quad G = (\alpha A / (\beta B))^{1/(\alpha+\beta)}$$
    """
    exponent = 1 / (ALPHA + BETA)
    return float((ALPHA * A / (BETA * B)) ** exponent * (flops / 6) ** (BETA * exponent))


def rows() -> list[str]:
    """Return the lines of the table, header first.

    Sizes keep three digits, as model names do, and losses five decimals, so that the last bits of
    a platform's exponential cannot change the file.
    """
    rng = np.random.default_rng(SEED)
    lines = ["run,params,tokens,flops,loss"]
    for budget in BUDGETS:
        label = f"{budget:.0e}".replace("+", "")
        for i, size in enumerate(SIZES, start=1):
            params = int(float(f"{size * optimal_params(budget):.2e}"))
            tokens = round(budget / (6 * params))
            law = E + A * params**-ALPHA + B * tokens**-BETA
            # A Student-t has variance TAIL / (TAIL - 2); dividing it out leaves the stated sd.
            noise = NOISE * rng.standard_t(TAIL) * ((TAIL - 2) / TAIL) ** 0.5
            loss = law * np.exp(noise)
            lines.append(f"sim-{label}-{i},{params},{tokens},{label},{loss:.5f}")
    return lines


if __name__ == "__main__":
    TABLE.write_text("\n".join(rows()) + "\n", encoding="utf-8")
