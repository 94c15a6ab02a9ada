package codectest

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

// recorder is a testing.TB that keeps failures to itself.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failuresOf runs check and is what it found.
func failuresOf(check func(t testing.TB)) []string {
	r := &recorder{}
	done := make(chan struct{})
	go func() { // owned by this function, which waits for it
		defer close(done)
		check(r)
	}()
	<-done
	return r.failures
}

func runs(fresh func() codec.Decoder[message], stream []byte, want ...string) func(tb testing.TB) {
	return func(tb testing.TB) {
		tb.Helper()
		Run(tb, fresh, stream, want...)
	}
}

func keeps(fresh func() codec.Decoder[message], stream []byte) func(tb testing.TB) {
	return func(tb testing.TB) {
		tb.Helper()
		Properties(tb, fresh, stream, 3)
	}
}

func allocates(limit float64, d codec.Decoder[message], stream []byte) func(tb testing.TB) {
	return func(tb testing.TB) {
		tb.Helper()
		Allocs(tb, limit, d, stream)
	}
}

// message is what the test codec says: the text of one frame.
type message struct{ text []byte }

func (m message) String() string { return string(m.text) }

// decodeFunc is a decoder with one thing wrong.
type decodeFunc func(in []byte) (message, int, error)

func (f decodeFunc) Decode(in []byte) (message, int, error) { return f(in) }

// sound decodes frames "$text*c\n" of at most 8 letters, where c is the length
// of the text as a letter.
func sound() codec.Decoder[message] {
	frames := codec.Marked(codec.MarkedOptions{Start: "$", End: "\n", MaxFrame: 10})
	return codec.Map(frames, func(frame []byte) (message, error) {
		i := len(frame) - 2
		if i < 0 || frame[i] != '*' || frame[i+1] != check(frame[:i]) {
			return message{}, &codec.FrameError{Offset: max(0, i), Reason: "check"}
		}
		return message{bytes.Clone(frame[:i])}, nil
	})
}

func check(text []byte) byte {
	sum := byte(0)
	for _, c := range text {
		sum = sum<<1 | sum>>7
		sum ^= c
	}
	return 'A' + (sum^sum>>4)&15
}

func appendMessage(dst []byte, m message) ([]byte, error) {
	return append(append(append(append(dst, '$'), m.text...), '*', check(m.text)), '\n'), nil
}

func framesOf(texts ...string) (out [][]byte) {
	for _, s := range texts {
		frame, _ := appendMessage(nil, message{[]byte(s)})
		out = append(out, frame)
	}
	return out
}

func suite(fresh func() codec.Decoder[message]) Suite[message] {
	return Suite[message]{
		New:        fresh,
		Encoder:    codec.AppendFunc[message](appendMessage),
		Frames:     framesOf("hello", "on", "off"),
		Want:       []string{"hello", "on", "off"},
		Show:       message.String,
		Garbage:    [][]byte{[]byte("noise"), []byte("\n")},
		MaxFrame:   12,
		Endless:    [][]byte{[]byte("$endless")},
		SameErrors: true,
	}
}

// broken is the sound decoder with change made to what it returns.
func broken(change func(in []byte, m message, n int, err error) (message, int, error)) func() codec.Decoder[message] {
	return func() codec.Decoder[message] {
		d := sound()
		return decodeFunc(func(in []byte) (message, int, error) {
			m, n, err := d.Decode(in)
			return change(in, m, n, err)
		})
	}
}

// failing names the rules of s that fail, with what they say.
func failing(s Suite[message]) (names, texts []string) {
	for _, r := range s.rules() {
		if failures := failuresOf(r.check); len(failures) > 0 {
			names = append(names, r.name)
			texts = append(texts, failures...)
		}
	}
	return names, texts
}

func TestSoundCodecPasses(t *testing.T) {
	t.Parallel()
	suite(sound).Run(t)
	Run(t, sound, bytes.Join(framesOf("a", "b"), []byte("x")), "a", "b")
}

// Each codec breaks one rule; the kit says which.
func TestContractIsChecked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fresh func() codec.Decoder[message]
		want  string
	}{
		"more than there is": {broken(func(in []byte, m message, n int, err error) (message, int, error) {
			return m, n + len(in), err
		}), "contract: Decode was done with"},
		"less than nothing": {broken(func(_ []byte, m message, n int, err error) (message, int, error) {
			if n == 0 {
				n = -1
			}
			return m, n, err
		}), "contract: Decode was done with -1 of"},
		"a message of no bytes": {broken(func(_ []byte, m message, n int, err error) (message, int, error) {
			if err == nil {
				n = 0
			}
			return m, n, err
		}), "contract: Decode returned a message that took no bytes"},
		"wrapped ErrIncomplete": {broken(func(_ []byte, m message, n int, err error) (message, int, error) {
			if errors.Is(err, codec.ErrIncomplete) {
				err = fmt.Errorf("acme: %w", err)
			}
			return m, n, err
		}), "contract: codec.ErrIncomplete is wrapped"},
		"an error without progress": {broken(func(_ []byte, m message, n int, err error) (message, int, error) {
			if err == codec.ErrIncomplete && n == 0 { //nolint:errorlint // never wrapped
				err = &codec.FrameError{}
			}
			return m, n, err
		}), "contract: Decode made no progress"},
		"changes the input": {broken(func(in []byte, m message, n int, err error) (message, int, error) {
			for i := range in[n:] {
				in[n+i] = 'x'
			}
			return m, n, err
		}), "contract: Decode changed the input"},
		"ErrIncomplete before a message": {func() codec.Decoder[message] {
			d, paused := sound(), false
			return decodeFunc(func(in []byte) (message, int, error) {
				if paused = !paused; paused {
					return message{}, 0, codec.ErrIncomplete
				}
				return d.Decode(in)
			})
		}, "contract: Decode returned codec.ErrIncomplete and, for the same rest"},
		"ErrIncomplete, then too much": {func() codec.Decoder[message] {
			calls := 0
			return decodeFunc(func(in []byte) (message, int, error) {
				calls++
				return message{}, (calls - 1) % 2 * (len(in) + 1), codec.ErrIncomplete
			})
		}, "contract: Decode was done with"},
		"aliases": {func() codec.Decoder[message] {
			return codec.Map(codec.Marked(codec.MarkedOptions{Start: "$", End: "\n", MaxFrame: 10}), func(frame []byte) (message, error) {
				return message{frame}, nil
			})
		}, "aliasing: the message changed"},
		"panics": {broken(func([]byte, message, int, error) (message, int, error) { panic("oh") }), "panic: Decode panicked with oh"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stream := framesOf("hello")[0]
			for how, check := range map[string]func(tb testing.TB){
				"Run":        runs(test.fresh, stream, "hello"),
				"stream":     suite(test.fresh).stream,
				"Properties": keeps(test.fresh, stream),
			} {
				got := failuresOf(check)
				if len(got) == 0 || !strings.HasPrefix(got[0], test.want) {
					t.Errorf("%s says %q, want first %q...", how, got, test.want)
				}
			}
		})
	}
}

// Each codec breaks one rule of the suite and no other.
func TestSuiteTellsWhichRuleIsBroken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(s *Suite[message])
		rules  []string
		want   string
	}{
		"a frame that is none": {func(s *Suite[message]) {
			s.Frames, s.Want = append(s.Frames, []byte("$x*?\n")), nil
		}, []string{"frames", "round trip"}, "frame 3"},
		"another message than wanted": {func(s *Suite[message]) {
			s.New = broken(func(_ []byte, m message, n int, err error) (message, int, error) {
				m.text = bytes.ToUpper(m.text)
				return m, n, err
			})
			s.Want, s.Encoder, s.MaxFrame = []string{"HELLO", "on", "OFF"}, nil, 0
		}, []string{"frames", "stream", "truncation", "damage", "garbage"}, "got ON\nwant on"},
		"as many Want as Frames": {func(s *Suite[message]) {
			s.Want = s.Want[:2]
			s.Frames = s.Frames[:1]
		}, []string{"frames", "stream", "damage", "garbage"}, "suite: there are 1 Frames and 2 Want"},
		"loses what is cut": {func(s *Suite[message]) {
			s.New = forgetful
			s.Garbage, s.MaxFrame, s.Encoder = nil, 0, nil
		}, []string{"stream"}, "byte by byte: messages of"},
		"takes garbage for messages": {func(s *Suite[message]) {
			s.New = trusting
			s.Resync, s.MaxFrame = -1, 0
		}, []string{"garbage"}, "whole: messages of"},
		"counts by reads": {func(s *Suite[message]) {
			s.New = broken(func(in []byte, m message, n int, err error) (message, int, error) {
				if err == codec.ErrIncomplete && n > 0 { //nolint:errorlint // never wrapped
					return m, n, &codec.FrameError{Reason: "garbage again"}
				}
				return m, n, err
			})
			s.Endless = nil
		}, []string{"garbage"}, "errors, whole"},
		"guesses what is truncated": {func(s *Suite[message]) {
			s.New = guessing
			s.Garbage, s.Resync, s.MaxFrame, s.Encoder = nil, -1, 0, nil
		}, []string{"stream", "truncation"}, "truncated at"},
		"never recovers": {func(s *Suite[message]) {
			s.New = offended
			s.Garbage, s.MaxFrame = nil, 0
		}, []string{"damage"}, "damage: frame 0 with byte"},
		"ends the stream": {func(s *Suite[message]) {
			s.New = broken(func(_ []byte, m message, n int, err error) (message, int, error) {
				if err != nil && err != codec.ErrIncomplete { //nolint:errorlint // never wrapped
					err = &codec.FatalError{Err: err}
				}
				return m, n, err
			})
			s.Garbage = nil
		}, []string{"damage"}, "ended the stream"},
		"keeps everything": {func(s *Suite[message]) {
			s.New = hoarding
			s.Garbage, s.Resync, s.Endless = nil, -1, nil
		}, []string{"oversize"}, "bytes wait of a frame that does not end"},
		"drops in silence": {func(s *Suite[message]) {
			s.New = broken(func(in []byte, m message, n int, err error) (message, int, error) {
				if err == nil || n < len(in) {
					return m, n, err
				}
				return m, n, codec.ErrIncomplete
			})
			s.Garbage = nil
			s.SameErrors = false
			s.Frames, s.Want = s.Frames[:1], s.Want[:1]
		}, []string{"oversize"}, "no error for a frame that does not end"},
		"cannot be encoded": {func(s *Suite[message]) {
			s.Encoder = codec.AppendFunc[message](func(dst []byte, m message) ([]byte, error) { return dst, errors.New("no") })
		}, []string{"round trip"}, "round trip: Append(hello): no"},
		"is encoded otherwise": {func(s *Suite[message]) {
			s.Encoder = codec.AppendFunc[message](func(dst []byte, m message) ([]byte, error) {
				return appendMessage(append(dst, '\n'), m)
			})
			s.NotCanonical = false
		}, []string{"round trip"}, "round trip: Append(hello)"},
		"is encoded wrong": {func(s *Suite[message]) {
			s.Encoder = codec.AppendFunc[message](func(dst []byte, m message) ([]byte, error) { return appendMessage(dst, message{[]byte("x")}) })
			s.NotCanonical = true
		}, []string{"round trip"}, "but was made of hello"},
		"is encoded over what was there": {func(s *Suite[message]) {
			s.Encoder = codec.AppendFunc[message](func(dst []byte, m message) ([]byte, error) { return appendMessage(dst[:0], m) })
		}, []string{"round trip"}, "changed what was in the buffer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := suite(sound)
			test.change(&s)
			rules, texts := failing(s)
			if !slices.Equal(rules, test.rules) {
				t.Errorf("rules %q fail, want %q: %q", rules, test.rules, texts)
			}
			if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, test.want) }) {
				t.Errorf("the kit says %q, want %q", texts, test.want)
			}
		})
	}
}

// forgetful drops the beginning of a frame whose end has not come.
func forgetful() codec.Decoder[message] {
	return decodeFunc(func(in []byte) (message, int, error) {
		m, n, err := sound().Decode(in)
		if err == codec.ErrIncomplete {
			n = len(in)
		}
		return m, n, err
	})
}

// trusting takes every line for a message.
func trusting() codec.Decoder[message] {
	return codec.Map(codec.Line(64), func(frame []byte) (message, error) {
		text, _, _ := bytes.Cut(frame, []byte("*"))
		return message{bytes.Clone(bytes.TrimPrefix(text, []byte("$")))}, nil
	})
}

// guessing makes a message of what is there when there are three letters.
func guessing() codec.Decoder[message] {
	return decodeFunc(func(in []byte) (message, int, error) {
		m, n, err := sound().Decode(in)
		if err == codec.ErrIncomplete && len(in) > 5 {
			return message{bytes.Clone(in[1:])}, len(in), nil
		}
		return m, n, err
	})
}

// offended never speaks again after an error.
func offended() codec.Decoder[message] {
	d, over := sound(), false
	return decodeFunc(func(in []byte) (message, int, error) {
		if over {
			return message{}, len(in), codec.ErrIncomplete
		}
		m, n, err := d.Decode(in)
		over = err != nil && err != codec.ErrIncomplete
		return m, n, err
	})
}

// hoarding waits for the end of a frame, however far it is.
func hoarding() codec.Decoder[message] {
	return decodeFunc(func(in []byte) (message, int, error) {
		if bytes.Contains(in, []byte{'\n'}) {
			return sound().Decode(in)
		}
		return message{}, 0, codec.ErrIncomplete
	})
}

func TestRunTellsOtherMessages(t *testing.T) {
	t.Parallel()
	stream := framesOf("a")[0]
	if got := failuresOf(runs(sound, stream, "b")); len(got) != 1 || !strings.HasPrefix(got[0], "whole: messages of") {
		t.Errorf("Run says %q", got)
	}
	stream = []byte("$\n\n$b")
	impatient := func() codec.Decoder[message] {
		return decodeFunc(func(in []byte) (message, int, error) {
			if len(in) < 4 {
				return message{}, 1, &codec.FatalError{Err: errors.New("cut")}
			}
			return message{}, 0, codec.ErrIncomplete
		})
	}
	if got := failuresOf(runs(impatient, stream)); len(got) != 1 || !strings.HasPrefix(got[0], "byte by byte: the stream ends with error cut") {
		t.Errorf("Run says %q of a stream that ends when it is cut", got)
	}
}

func TestAllocsCounts(t *testing.T) {
	stream := bytes.Join(framesOf("a", "b"), nil)
	costly := broken(func(_ []byte, m message, n int, err error) (message, int, error) {
		return message{make([]byte, 100)}, n, err
	})
	if got := failuresOf(allocates(0, costly(), stream)); len(got) != 1 || !strings.HasPrefix(got[0], "allocations: ") {
		t.Errorf("Allocs with a limit of 0 says %q of a decoder that allocates", got)
	}
	if got := failuresOf(allocates(10, costly(), stream)); len(got) != 0 {
		t.Errorf("Allocs with a limit of 10 says %q of fewer allocations", got)
	}
	if got := failuresOf(allocates(2, sound(), []byte("noise"))); len(got) != 1 {
		t.Errorf("Allocs says %q of a stream without messages", got)
	}
}

func FuzzSound(f *testing.F) { Fuzz(f, sound, framesOf("hello", "on")...) }
