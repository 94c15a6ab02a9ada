package jt808

import (
	"errors"
	"slices"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

func TestNegativeVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "jt808_negative") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			var category, problem string
			v.get(t, "category", &category)
			v.get(t, "error", &problem)
			wire := unhex(t, v.Hex)
			frames, errs := decodeAll(t, fresh(), slices.Concat(wire, unhex(t, heartbeat)))
			if len(frames) == 0 || frames[len(frames)-1].Phone.Stripped() != "14419999999" {
				t.Fatalf("the good frame behind it is lost: %d frames, errors %v", len(frames), errs)
			}
			frames = frames[:len(frames)-1]
			for _, err := range errs {
				var damage *codec.FrameError
				if !errors.As(err, &damage) {
					t.Errorf("%v is no *codec.FrameError", err)
				}
			}
			switch {
			case v.has("recoverable_as"):
				var sub vector
				sub.Name = v.Name
				v.get(t, "recoverable_as", &sub.Expect)
				if len(frames) != 1 || len(errs) != 0 {
					t.Fatalf("%d frames, errors %v, want it recovered", len(frames), errs)
				}
				checkHeader(t, &sub, frames[0])
			case category == "several_frames_in_one_string":
				if len(frames)+len(errs) < 2 {
					t.Errorf("%d frames, errors %v, want several candidates", len(frames), errs)
				}
			case category == "bad_delimiter" || category == "other_variant":
				if len(frames) != 0 || len(errs) != 0 {
					t.Errorf("%d frames, errors %v, want it skipped in silence", len(frames), errs)
				}
			case problem == "short_body" || problem == "can_len":
				if len(frames) != 1 || len(errs) != 0 {
					t.Fatalf("%d frames, errors %v, want a frame whose body is wrong", len(frames), errs)
				}
				checkWrongBody(t, category, frames[0])
			default:
				if len(frames) != 0 || len(errs) != 1 {
					t.Errorf("%d frames, errors %v, want one error", len(frames), errs)
				}
			}
		})
	}
}

// checkWrongBody wants a body refused, with an error that says where.
func checkWrongBody(t *testing.T, category string, f *Frame) {
	t.Helper()
	b, err := f.Parse()
	var damage *codec.FrameError
	if err == nil || !errors.Is(err, ErrShortBody) && !errors.As(err, &damage) {
		t.Errorf("%s: body is %+v with error %v, want it refused", category, b, err)
	}
}
