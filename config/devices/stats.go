package devices

// Stats is what a [Catalog] has and has counted.
type Stats struct {
	Entries   int               `metric:"linkspan_devices_entries" doc:"devices of the file"`
	Mistakes  int               `metric:"linkspan_devices_mistakes" doc:"mistakes in the files, as they were read last"`
	Reloads   uint64            `metric:"linkspan_devices_reloads_total" doc:"times that files were read again"`
	Failed    uint64            `metric:"linkspan_devices_failed_reloads_total" doc:"times that files could not be read again, so that everything stayed as it was"`
	Revoked   uint64            `metric:"linkspan_devices_revoked_total" doc:"devices that a reload changed or removed"`
	Unknown   uint64            `metric:"linkspan_devices_unknown_total" doc:"look-ups of devices that are unknown"`
	Bound     int               `metric:"linkspan_devices_bound_certificates" doc:"certificates of the pool that have a device"`
	Free      int64             `metric:"linkspan_devices_free_certificates" doc:"certificates of the pool that have none"`
	Bindings  uint64            `metric:"linkspan_devices_bindings_total" doc:"certificates of the pool given out"`
	Unbound   map[string]uint64 `metric:"linkspan_devices_refused_bindings_total" label:"cause" doc:"devices that came for the first time and got no certificate of the pool"`
	Remember  int               `metric:"linkspan_devices_cached_answers" doc:"answers of the server that are remembered"`
	CacheHits uint64            `metric:"linkspan_devices_cache_hits_total" doc:"look-ups that a remembered answer of the server was enough for"`
	Answers   map[string]uint64 `metric:"linkspan_devices_answers_total" label:"cause" doc:"what came of asking the server: found, unknown, failed; stale: an old answer was taken; paused: it was not asked as it had just failed"`
}

// Stats is what there is and what happened so far.
func (c *Catalog) Stats() Stats {
	n := &c.counts
	s := Stats{
		Entries: c.file.Len(), Mistakes: len(c.Mistakes()),
		Reloads: n.reloads.Load(), Failed: n.failed.Load(), Revoked: n.changed.Load(), Unknown: n.unknown.Load(),
		Bindings: n.bound.Load(), Free: n.free.Load(),
		Unbound: map[string]uint64{"exhausted": n.exhausted.Load(), "rate": n.tooFast.Load(), "storage": n.unbound.Load()},
	}
	if c.bound != nil {
		s.Bound = c.bound.len()
	}
	if c.http != nil {
		k := &c.http.cache
		s.Remember, s.CacheHits = c.http.Len(), k.hits.Load()
		s.Answers = map[string]uint64{
			"found": k.finds.Load(), "unknown": k.unknown.Load(), "failed": k.failed.Load(), "stale": k.stale.Load(), "paused": k.paused.Load(),
		}
	}
	return s
}
