package away

import "time"

// Remembering has overdue commands be remembered for that long.
func Remembering(d time.Duration) Option { return func(c *Connector) { c.remembers = d } }
