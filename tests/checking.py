"""The checker of annotations: beartype, where an int is as good as a float, as in the standard."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
