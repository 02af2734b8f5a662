"""Pretrain any nonlinear RNN without backpropagation through time, then run it alone."""
