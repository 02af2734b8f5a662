"""L4. The doctor: checks of a student, its teacher and their data for the usual faults.

A check is a function `(CheckContext) -> CheckResult` with a row in `table.CHECKS`; it may raise
`Skip` to say why it can't be made."""
