package platform

// BreakJournal makes the next write of the journal fail.
func (p *Platform) BreakJournal() {
	p.data.wmu.Lock()
	defer p.data.wmu.Unlock()
	p.data.torn = true
}

// KeepJournal makes the platform replace the data file when the journal has more
// than n bytes and what it adds to.
func (p *Platform) KeepJournal(n int64) {
	p.data.wmu.Lock()
	defer p.data.wmu.Unlock()
	p.data.keep = n
}
