diagnostics {
  error {
    from { byte = 2 }
    to { byte = 3 }
  }
}
