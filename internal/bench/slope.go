package bench

// Slope is that of the line that fits the points (x, y) best, by least
// squares: what one more of x costs. It is 0 for points at fewer than two
// different x.
func Slope(x, y []float64) float64 {
	n := float64(min(len(x), len(y)))
	var sumX, sumY, sumXX, sumXY float64
	for i := range int(n) {
		sumX += x[i]
		sumY += y[i]
		sumXX += x[i] * x[i]
		sumXY += x[i] * y[i]
	}
	spread := n*sumXX - sumX*sumX
	if spread == 0 {
		return 0
	}
	return (n*sumXY - sumX*sumY) / spread
}
