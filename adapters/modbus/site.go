package modbus

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/codec/modbus"
)

// site is the units of some lines. It does not change.
type site struct {
	name  string // of its line; empty: as it calls itself
	units []siteUnit
	dues  int // groups of all units
}

// siteUnit is one unit of a site.
type siteUnit struct {
	number  uint8
	profile *profile.Profile
}

// sites are those of a listener. They do not change.
type sites struct {
	exact    map[string]*site
	patterns []pattern // the longest first
	rest     *site     // of lines that nothing fits; nil: there are none
}

type pattern struct {
	text string
	site *site
}

// of is the site of a line; nil when there is none.
func (s *sites) of(line string) *site {
	if found := s.exact[line]; found != nil {
		return found
	}
	for i := range s.patterns {
		if ok, _ := path.Match(s.patterns[i].text, line); ok {
			return s.patterns[i].site
		}
	}
	return s.rest
}

// siteBuilder gathers the mistakes of lines and profiles.
type siteBuilder struct {
	config   *Config
	profiles map[string]*profile.Profile
	prefixed map[string]*profile.Profile // by prefix and profile
	errs     []error
}

// buildSites compiles profiles and lines. read reads files of points.
func buildSites(c *Config, read func(string) ([]byte, error)) (*sites, error) {
	b := &siteBuilder{config: c, profiles: map[string]*profile.Profile{}, prefixed: map[string]*profile.Profile{}}
	for _, name := range slices.Sorted(maps.Keys(c.Profiles)) {
		p, err := profile.Compile(name, c.Profiles[name], read)
		if err != nil {
			b.errs = append(b.errs, within("profiles."+name, err)...)
		}
		b.profiles[name] = p
	}
	if len(c.Profiles) == 0 {
		b.errs = append(b.errs, errors.New("profiles: there are none: write what registers mean, as in profiles { meter { points { voltage { address = 40001 } } } }"))
	}
	all := &sites{exact: map[string]*site{}}
	for _, name := range slices.Sorted(maps.Keys(c.Lines)) {
		b.line(all, name, c.Lines[name])
	}
	slices.SortStableFunc(all.patterns, func(a, b pattern) int { return cmp.Compare(len(b.text), len(a.text)) })
	if c.Profile != "" || len(c.Profiles) == 1 {
		units := make(map[string]Unit, len(c.Units))
		for _, u := range c.Units {
			units[u] = Unit{}
		}
		all.rest = b.site("units", "", units)
	} else if len(c.Lines) == 0 && len(c.Profiles) > 0 {
		b.errs = append(b.errs, fmt.Errorf("profile: is missing: write which of %s the units have, or name lines", strings.Join(slices.Sorted(maps.Keys(c.Profiles)), ", ")))
	}
	return all, errors.Join(b.errs...)
}

// within puts a place before each of the errors that were joined.
func within(place string, err error) (all []error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, fmt.Errorf("%s: %w", place, e))
		}
		return all
	}
	return []error{fmt.Errorf("%s: %w", place, err)}
}

// line adds the site of one element of lines.
func (b *siteBuilder) line(all *sites, name string, l Line) {
	key := "lines." + strconv.Quote(name)
	s := b.site(key+".units", l.Name, l.Units)
	if strings.ContainsAny(name, "*?[") {
		if _, err := path.Match(name, ""); err != nil {
			b.errs = append(b.errs, fmt.Errorf("%s: the pattern is damaged: a [ has no ]", key))
		}
		if l.Name != "" {
			b.errs = append(b.errs, fmt.Errorf("%s.name: %s would be the name of every line that fits the pattern", key, l.Name))
		}
		all.patterns = append(all.patterns, pattern{name, s})
		return
	}
	all.exact[name] = s
}

// site is that of some units.
func (b *siteBuilder) site(key, name string, units map[string]Unit) *site {
	s := &site{name: name}
	if len(units) == 0 {
		b.errs = append(b.errs, fmt.Errorf("%s: there are none", key))
	}
	prefixes := map[uint8]*string{}
	for _, text := range slices.Sorted(maps.Keys(units)) {
		u := units[text]
		low, high, err := b.numbers(text)
		if err != nil {
			b.errs = append(b.errs, fmt.Errorf("%s: %w", key, err))
			continue
		}
		p := b.profile(key+"."+text, u.Profile)
		for n := low; n <= high; n++ {
			if slices.ContainsFunc(s.units, func(have siteUnit) bool { return int(have.number) == n }) {
				b.errs = append(b.errs, fmt.Errorf("%s: unit %d stands there twice", key, n))
				continue
			}
			s.units = append(s.units, siteUnit{uint8(n), p}) //nolint:gosec // 255 at most
			prefixes[uint8(n)] = u.Prefix                    //nolint:gosec // likewise
		}
	}
	slices.SortFunc(s.units, func(x, y siteUnit) int { return cmp.Compare(x.number, y.number) })
	if b.config.Devices == devicesLine {
		b.prefix(key, s, prefixes)
	}
	for _, u := range s.units {
		if u.profile != nil {
			s.dues += len(u.profile.Groups)
		}
	}
	return s
}

// numbers reads 3 or 1-4.
func (b *siteBuilder) numbers(text string) (low, high int, err error) {
	from, to, isRange := strings.Cut(text, "-")
	low, err = strconv.Atoi(strings.TrimSpace(from))
	high = low
	if isRange && err == nil {
		high, err = strconv.Atoi(strings.TrimSpace(to))
	}
	least, most := 1, 247
	if b.config.Mode == modbus.TCP.String() {
		least, most = 0, 255
	}
	if err != nil || low < least || high > most || high < low {
		return 0, 0, fmt.Errorf("unit %q, must be a number or a range such as 1-4, from %d to %d", text, least, most)
	}
	return low, high, nil
}

// profile is the one of that name, or the listener's; nil with a mistake.
func (b *siteBuilder) profile(key, name string) *profile.Profile {
	if name == "" {
		name = b.config.Profile
	}
	if name == "" && len(b.profiles) == 1 {
		for only := range b.profiles {
			name = only
		}
	}
	p, known := b.profiles[name]
	switch {
	case name == "":
		b.errs = append(b.errs, fmt.Errorf("%s: its profile is missing", key))
	case !known && len(b.profiles) > 0: // that there are none was said before
		b.errs = append(b.errs, fmt.Errorf("%s: there is no profile %s: there are %s", key, name, strings.Join(slices.Sorted(maps.Keys(b.profiles)), ", ")))
	}
	return p
}

// prefix makes the names of points of several units different.
func (b *siteBuilder) prefix(key string, s *site, prefixes map[uint8]*string) {
	names := map[string]uint8{}
	for i := range s.units {
		u := &s.units[i]
		if u.profile == nil {
			continue
		}
		prefix := ""
		if p := prefixes[u.number]; p != nil {
			prefix = *p
		} else if len(s.units) > 1 {
			prefix = fmt.Sprintf("u%d_", u.number)
		}
		cached := prefix + "\x00" + u.profile.Name
		if b.prefixed[cached] == nil {
			b.prefixed[cached] = u.profile.Prefixed(prefix)
		}
		u.profile = b.prefixed[cached]
		for j := range u.profile.Points {
			name := u.profile.Points[j].Name
			if other, twice := names[name]; twice {
				b.errs = append(b.errs, fmt.Errorf("%s: units %d and %d both have a point %s: give them prefixes", key, other, u.number, name))
				break
			}
			names[name] = u.number
		}
	}
}
