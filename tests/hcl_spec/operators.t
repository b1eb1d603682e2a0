result = {
  arithmetic = [3, 0.125, 2, 5]
  compare    = [true, false, false, true]
  logic      = true
  choice     = "b"
}
result_type = object({
  arithmetic = list(number)
  compare    = list(bool)
  logic      = bool
  choice     = string
})
