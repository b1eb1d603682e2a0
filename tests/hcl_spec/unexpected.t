diagnostics {
  error {
    from { byte = 6 }
    to { byte = 7 }
  }
}
