package segment

import "time"

// Stats is what a [Log] has counted since it was opened, and what is in it.
type Stats struct {
	Records       int64             `metric:"linkspan_queue_stored_records" doc:"records that are not finished"`
	Bytes         int64             `metric:"linkspan_queue_disk_bytes" doc:"disk space of the log"`
	MaxBytes      int64             `metric:"linkspan_queue_max_disk_bytes" doc:"disk space that the log may take"`
	Segments      int               `metric:"linkspan_queue_segments" doc:"files of the log"`
	Pending       int64             `metric:"linkspan_queue_pending_bytes" doc:"bytes that wait for the disk"`
	OldestAge     float64           `metric:"linkspan_queue_oldest_age_seconds" doc:"about how old the oldest record is that is not finished; 0: there is none"`
	Appended      uint64            `metric:"linkspan_queue_appended_records_total" doc:"records that were stored"`
	AppendedBytes uint64            `metric:"linkspan_queue_appended_bytes_total" doc:"size of the records that were stored"`
	Finished      uint64            `metric:"linkspan_queue_finished_records_total" doc:"records that were done with"`
	Commits       uint64            `metric:"linkspan_queue_commits_total" doc:"batches that were written"`
	Syncs         uint64            `metric:"linkspan_queue_syncs_total" doc:"fsyncs of files of records"`
	CommitSeconds float64           `metric:"linkspan_queue_commit_seconds_total" doc:"time that commits took together"`
	CommitMax     float64           `metric:"linkspan_queue_commit_max_seconds" doc:"the longest commit of the last minute"`
	Refused       map[string]uint64 `metric:"linkspan_queue_refused_records_total" label:"cause" doc:"records that were not stored"`
	Dropped       map[string]uint64 `metric:"linkspan_queue_dropped_records_total" label:"cause" doc:"stored records that were dropped unfinished"`
	Damaged       uint64            `metric:"linkspan_queue_damaged_records_total" doc:"stored records that could not be read any more, as far as they can be counted"`
	DamagedBytes  uint64            `metric:"linkspan_queue_damaged_bytes_total" doc:"bytes that were skipped because they were damaged"`
	CutOff        uint64            `metric:"linkspan_queue_cut_off_bytes_total" doc:"of the damaged bytes those at the end of a file, or in one without a header, in which nobody can count records: most often a write that was not finished when the process ended"`
	Failures      uint64            `metric:"linkspan_queue_disk_failures_total" doc:"operations on the disk that failed"`
	Compactions   uint64            `metric:"linkspan_queue_compactions_total" doc:"files rewritten without what is finished or dropped"`
}

// seconds is d as metrics have it.
func seconds(d time.Duration) float64 { return d.Seconds() }
