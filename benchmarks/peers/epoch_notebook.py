"""Epoch AI's notebook: SciPy's BFGS with autograd's gradient, on repeated points."""

import autograd.numpy as np
from autograd import grad
from common import DELTA, serve
from scipy.optimize import minimize


def log_sum_exp(a, b, e, alpha, beta, N, D):
    return np.log(np.exp(a - alpha * np.log(N)) + np.exp(b - beta * np.log(D)) + np.exp(e))


def huber_loss(y_true, y_pred):
    diff = y_true - y_pred
    cond = np.abs(diff) <= DELTA
    return np.sum(np.where(cond, 0.5 * diff**2, DELTA * (np.abs(diff) - 0.5 * DELTA)))


def huber_loss_objective(params, N, D, losses):
    a, b, e, alpha, beta = params
    return huber_loss(np.log(losses), log_sum_exp(a, b, e, alpha, beta, N, D))


def contender(points):
    def one(i):
        found = minimize(
            huber_loss_objective,
            points.starts[i],
            args=points.resample(i),
            jac=grad(huber_loss_objective),
            method="BFGS",
            options=dict(gtol=1e-9, maxiter=2000),
        )
        return found.x

    return lambda refits: np.stack([one(i) for i in range(refits)])


serve(contender)
