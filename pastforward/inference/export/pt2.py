"""L3. Compiled code (AOTInductor): a loop of steps in one call, for Python and C++."""
