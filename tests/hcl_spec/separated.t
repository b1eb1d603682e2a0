diagnostics {
  error {
    from { byte = 5 }
    to { byte = 6 }
  }
}
