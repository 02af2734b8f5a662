"""L4. Forecasts measured: scores, rivals without a network, rolling origins."""
