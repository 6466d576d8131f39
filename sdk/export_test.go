package sdk

// Through lets the next attempts of a write go through another client.
func Through(w *Write, c *Client) { w.client = c }
