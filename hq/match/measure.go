package match

// Measure is how well clusters meet a truth.
type Measure struct {
	Records, Clusters, Largest int
	// Pairs of records that are one by the truth, by the clusters, and by both.
	True, Found, Right int64
	// B³: the averages over records of how much of their cluster is theirs, and how much
	// of theirs is in it.
	B3Precision, B3Recall float64
}

// Precision is the share of the pairs found that are right; 1 where none was found.
func (m Measure) Precision() float64 { return ratio(m.Right, m.Found) }

// Recall is the share of the true pairs that were found; 1 where there are none.
func (m Measure) Recall() float64 { return ratio(m.Right, m.True) }

// F1 is the harmonic mean of Precision and Recall.
func (m Measure) F1() float64 { return harmonic(m.Precision(), m.Recall()) }

// B3 is the harmonic mean of B3Precision and B3Recall.
func (m Measure) B3() float64 { return harmonic(m.B3Precision, m.B3Recall) }

func ratio(a, b int64) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}

func harmonic(p, r float64) float64 {
	if p+r == 0 {
		return 0
	}
	return 2 * p * r / (p + r)
}

// Compare measures clusters of records against the truth: both give each record id the
// name of its cluster. Records that only one of them has are passed over.
func Compare(truth, clusters map[string]string) Measure {
	var m Measure
	byTruth, byCluster, byBoth := map[string]int64{}, map[string]int64{}, map[[2]string]int64{}
	for id, t := range truth {
		c, ok := clusters[id]
		if !ok {
			continue
		}
		m.Records++
		byTruth[t]++
		byCluster[c]++
		byBoth[[2]string{t, c}]++
	}
	pairs := func(n int64) int64 { return n * (n - 1) / 2 }
	for _, n := range byTruth {
		m.True += pairs(n)
	}
	for _, n := range byCluster {
		m.Found += pairs(n)
		m.Largest = max(m.Largest, int(n))
	}
	m.Clusters = len(byCluster)
	// Whole numbers over a common scale, since the sum runs in no order.
	const scale = 1 << 32
	var p, r int64
	for k, n := range byBoth {
		m.Right += pairs(n)
		p += n * (n * scale / byCluster[k[1]])
		r += n * (n * scale / byTruth[k[0]])
	}
	if m.Records > 0 {
		m.B3Precision = float64(p) / scale / float64(m.Records)
		m.B3Recall = float64(r) / scale / float64(m.Records)
	}
	return m
}
