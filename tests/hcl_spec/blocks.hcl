thing "one" {
  size = 1
}
thing "two" { size = 2 }
empty {}
