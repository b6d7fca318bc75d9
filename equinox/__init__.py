"""Equinox: the evaluation of co-located DNN training and inference, from numerics to figures."""
