result = {
  thing = { one = { size = 1 }, two = { size = 2 } }
  empty = {}
}
result_type = object({
  thing = map(object({ size = number }))
  empty = object({})
})
