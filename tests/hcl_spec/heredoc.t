result = {
  plain   = "  one\n    two\n"
  flush   = "one\n  two\n\nthree\n"
  trimmed = "    - x\n    - y\n    end\n"
}
