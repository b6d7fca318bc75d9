"""Layers of LSTM and GRU over a sequence, with every dot product encoded.

The projection of the whole input sequence is one product, and so is the gradient of each weight;
the recurrent products are one a time step. In blocks of samples, an exponent serves one time step
of one sequence. Gradients of the gates are rounded once a time step and then used by all products.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from equinox.encodings.functional import apply, linear
from equinox.encodings.operands import Operands


def lstm_layer(
    x: Tensor, h: Tensor, c: Tensor, weights: tuple[Tensor, ...], operands: Operands
) -> tuple[Tensor, Tensor]:
    """Return the outputs (time, batch, hidden) and last cell state of a layer of LSTM.

    `x` is (time, batch, inputs); `h` and `c`, the initial state, are (batch, hidden); `weights`
    are those of torch.nn.LSTM: w_ih, w_hh and, unless the layer has none, b_ih and b_hh.
    """
    w_ih, w_hh, b_ih, b_hh = (*weights, None, None)[:4]
    outputs = apply(_Lstm, x, h, c, w_ih, w_hh, b_ih, b_hh, operands)
    return cast(tuple[Tensor, Tensor], outputs)


def projected_lstm_layer(
    x: Tensor, h: Tensor, c: Tensor, weights: tuple[Tensor, ...], operands: Operands
) -> tuple[Tensor, Tensor]:
    """Return what `lstm_layer` does, of a layer whose output is a product with `weights[-1]`.

    Its products are those of `linear`, one by one, so that weights are rounded at each time step.
    """
    w_ih, w_hh, *biases, w_hr = weights
    b_ih, b_hh = biases or (None, None)
    gates = linear(x, w_ih, b_ih, operands)
    outputs = []
    for gate in gates.unbind(0):
        i, f, g, o = (gate + linear(h, w_hh, b_hh, operands)).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = linear(o.sigmoid() * c.tanh(), w_hr, None, operands)
        outputs.append(h)
    return torch.stack(outputs), c


def gru_layer(x: Tensor, h: Tensor, weights: tuple[Tensor, ...], operands: Operands) -> Tensor:
    """Return the outputs (time, batch, hidden) of a layer of GRU; see `lstm_layer`."""
    w_ih, w_hh, b_ih, b_hh = (*weights, None, None)[:4]
    outputs = apply(_Gru, x, h, w_ih, w_hh, b_ih, b_hh, operands)
    return cast(Tensor, outputs)


def _sum(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    return first if second is None else second if first is None else first + second


def _project(x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """Return x (time, batch, inputs) times w (gates, inputs) transposed, plus `bias`."""
    rows = x.flatten(0, 1)
    product = rows @ w.T if bias is None else torch.addmm(bias, rows, w.T)
    return product.view(*x.shape[:2], w.shape[0])


class _Lstm(Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h: Tensor,
        c: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None,
        b_hh: Tensor | None,
        operands: Operands,
    ) -> tuple[Tensor, Tensor]:
        steps, batch, hidden = x.shape[0], *h.shape
        rows = x.flatten(0, 1)
        x_rounded, w_x, w_h = operands.x(rows), operands.w(w_ih), operands.w(w_hh)
        gates = _project(x_rounded.view_as(x), w_x, _sum(b_ih, b_hh))
        h_in = x.new_empty(steps, batch, hidden)  # what the recurrent products read
        cells, outputs = x.new_empty(steps + 1, batch, hidden), x.new_empty(steps, batch, hidden)
        cells[0] = c
        tanh_c = torch.empty_like(outputs)
        w_transposed = w_h.T
        for t in range(steps):
            rounded = operands.x(h)
            h_in[t] = operands.to_save("x", h, rounded)
            gate = gates[t].addmm_(rounded, w_transposed)
            i_f_g_o = gate.view(batch, 4, hidden)
            g = i_f_g_o[:, 2].tanh()
            gate.sigmoid_()
            i_f_g_o[:, 2] = g
            torch.mul(i_f_g_o[:, 1], cells[t], out=cells[t + 1])
            cells[t + 1].addcmul_(i_f_g_o[:, 0], g)
            torch.tanh(cells[t + 1], out=tanh_c[t])
            h = torch.mul(i_f_g_o[:, 3], tanh_c[t], out=outputs[t])
        ctx.save_for_backward(
            operands.to_save("x", rows, x_rounded), h_in, gates, cells, tanh_c,
            operands.to_save("w", w_ih, w_x), operands.to_save("w", w_hh, w_h),
        )  # fmt: skip
        ctx.operands, ctx.has_bias = operands, b_ih is not None
        return outputs, cells[steps].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor, grad_c: Tensor) -> tuple[Tensor | None, ...]:
        rows, h_in, gates, cells, tanh_c, w_ih, w_hh = ctx.saved_tensors
        operands: Operands = ctx.operands
        steps, batch, hidden = grad_out.shape
        i, f, g, o = gates.view(steps, batch, 4, hidden).unbind(2)
        # Derivatives of the state and the output by each gate's input, for all steps at once.
        slopes = torch.stack(
            [g * i * (1 - i), cells[:-1] * f * (1 - f), i * (1 - g * g), tanh_c * o * (1 - o)], 2
        )
        into_cell = o * (1 - tanh_c * tanh_c)
        grads = torch.empty_like(slopes)
        rounded = torch.empty_like(gates)
        w = operands.transposed_weight(w_hh).T
        grad_h = torch.zeros_like(grad_out[0])
        for t in reversed(range(steps)):
            grad_h = grad_h + grad_out[t]
            grad_c = torch.addcmul(grad_c, grad_h, into_cell[t])
            torch.mul(slopes[t, :, :3], grad_c.unsqueeze(1), out=grads[t, :, :3])
            torch.mul(slopes[t, :, 3], grad_h, out=grads[t, :, 3])
            rounded[t] = operands.grad(grads[t].flatten(1))
            grad_h = rounded[t] @ w
            grad_c = grad_c * f[t]
        by_weights = _input_grads(ctx, operands, grads.flatten(2), rounded, rows, h_in, w_ih)
        grad_bias = by_weights[-1] if ctx.has_bias else None
        return by_weights[0], grad_h, grad_c, *by_weights[1:3], grad_bias, grad_bias, None


def _input_grads(
    ctx: Any,
    operands: Operands,
    grads: Tensor,
    rounded: Tensor,
    rows: Tensor,
    h_in: Tensor,
    w_ih: Tensor,
) -> tuple[Tensor | None, Tensor, Tensor, Tensor]:
    """Return the gradients of x, w_ih, w_hh and a bias from those of the gates."""
    grads, rounded = grads.flatten(0, 1), rounded.flatten(0, 1)
    grad_x = None
    if ctx.needs_input_grad[0]:
        grad_x = operands.grad_x(rounded, w_ih).view(*h_in.shape[:2], rows.shape[1])
    return (
        grad_x,
        operands.grad_w(grads, rounded, rows),
        operands.grad_w(grads, rounded, h_in.flatten(0, 1)),
        grads.sum(0),
    )


class _Gru(Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None,
        b_hh: Tensor | None,
        operands: Operands,
    ) -> Tensor:
        steps, batch, hidden = x.shape[0], *h.shape
        rows = x.flatten(0, 1)
        x_rounded, w_x, w_h = operands.x(rows), operands.w(w_ih), operands.w(w_hh)
        gates = _project(x_rounded.view_as(x), w_x, b_ih)
        h_in, states = x.new_empty(steps, batch, hidden), x.new_empty(steps + 1, batch, hidden)
        states[0] = h
        candidates = x.new_empty(steps, batch, hidden)  # recurrent part of the new state
        for t in range(steps):
            rounded = operands.x(states[t])
            h_in[t] = operands.to_save("x", states[t], rounded)
            r_z_n = gates[t].view(batch, 3, hidden)
            recurrent = _project(rounded.unsqueeze(0), w_h, b_hh).view(batch, 3, hidden)
            r_z_n[:, :2].add_(recurrent[:, :2]).sigmoid_()
            candidates[t] = recurrent[:, 2]
            n = r_z_n[:, 2].addcmul_(r_z_n[:, 0], candidates[t]).tanh_()
            torch.lerp(n, states[t], r_z_n[:, 1], out=states[t + 1])
        ctx.save_for_backward(
            operands.to_save("x", rows, x_rounded), h_in, gates, candidates, states,
            operands.to_save("w", w_ih, w_x), operands.to_save("w", w_hh, w_h),
        )  # fmt: skip
        ctx.operands, ctx.has_bias = operands, b_ih is not None
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        rows, h_in, gates, candidates, states, w_ih, w_hh = ctx.saved_tensors
        operands: Operands = ctx.operands
        steps, batch, hidden = grad_out.shape
        r, z, n = gates.view(steps, batch, 3, hidden).unbind(2)
        into_n = (1 - z) * (1 - n * n)
        # Derivatives of the new state by the inputs of r, z and the recurrent part of n.
        slopes = torch.stack(
            [into_n * candidates * r * (1 - r), (states[:-1] - n) * z * (1 - z), into_n * r], 2
        )
        recurrent_grads = torch.empty_like(slopes)
        rounded = torch.empty_like(gates)
        input_grads = torch.empty_like(slopes)
        w = operands.transposed_weight(w_hh).T
        grad_h = torch.zeros_like(grad_out[0])
        for t in reversed(range(steps)):
            grad_h = grad_h + grad_out[t]
            torch.mul(slopes[t], grad_h.unsqueeze(1), out=recurrent_grads[t])
            torch.mul(into_n[t], grad_h, out=input_grads[t, :, 2])
            rounded[t] = operands.grad(recurrent_grads[t].flatten(1))
            grad_h = torch.addmm(grad_h * z[t], rounded[t], w)
        input_grads[:, :, :2] = recurrent_grads[:, :, :2]
        by_input = input_grads.view(steps * batch, 3 * hidden)
        by_recurrent = recurrent_grads.view(steps * batch, 3 * hidden)
        input_rounded = operands.grad(by_input)
        grad_x = operands.grad_x(input_rounded, w_ih).view(*h_in.shape[:2], rows.shape[1])
        grad_w_ih = operands.grad_w(by_input, input_rounded, rows)
        grad_w_hh = operands.grad_w(by_recurrent, rounded.flatten(0, 1), h_in.flatten(0, 1))
        biases = (by_input.sum(0), by_recurrent.sum(0)) if ctx.has_bias else (None, None)
        return grad_x, grad_h, grad_w_ih, grad_w_hh, *biases, None
