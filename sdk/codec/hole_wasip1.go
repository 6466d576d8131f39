package codec

// refuseReferences has nothing to refuse: guests make no references.
func refuseReferences([]byte) error { return nil }
