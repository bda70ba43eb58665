"""Whole jobs, ours beside others', in paired runs: what `scripts/bench` measures and writes.

A program of `programs` and a packer of `packers` → `measure`, round after round (`rounds`) →
docs/benchmarks.json; from that alone `page` and `chart` make docs/benchmarks.md and .svg. `figures`
is the arithmetic, `limits` what must hold.

To add one: a packer is an entry in `packers.PACKERS`, a program in `programs.PROGRAMS`, a limit in
`limits.LIMITS`. Each is data; then measure again, for the page must not be older than they are.
"""
