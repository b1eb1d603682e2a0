result = {
  list    = ["B"]
  object  = { a = 0, b = 1 }
  grouped = { a = ["ab", "ac"], b = ["b"] }
  splat   = [1, 2]
}
result_type = object({
  list    = list(string)
  object  = map(number)
  grouped = map(list(string))
  splat   = list(number)
})
