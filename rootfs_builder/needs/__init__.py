"""Recipe + root → Closure: everything that programs need, each with what brought it."""
