arithmetic = [7 % 4, 1 / 8, -3 + 5, 2 * 2.5]
compare    = [1 == 1.0, "1" == 1, 2 >= 3, true != false]
logic      = true && !false || false
choice     = 1 > 2 ? "a" : "b"
