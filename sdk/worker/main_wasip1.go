package worker

// Main does nothing in a WebAssembly module: the module's exports are what
// nodes call.
func Main() {}
