package platform

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform/api"
)

// device is what the platform holds of one device.
type device struct {
	key   key
	name  string        // productKey/deviceName
	claim chan struct{} // held by the connection of its own that is being set up

	// via is the connection that carries its session; nil: it is offline. It is
	// written under Platform.mu and read anywhere.
	via atomic.Pointer[link]

	dirty atomic.Bool // the data file does not have it as it is

	// Guarded by Platform.mu.

	secret     auth.Secret
	unverified bool // made on the fly, its secret unknown
	disabled   bool
	deleted    bool
	link       *link   // its own connection
	parent     *device // the gateway whose topology it is in
	children   map[*device]struct{}
	since      time.Time   // of the session, or of its end; zero: never online
	logins     []time.Time // the last ones, for the limit per minute

	mu sync.Mutex // guards what follows

	props    map[string]*property
	events   []api.Event // a ring once it is full
	next     int         // oldest event of a full ring
	tags     map[string]string
	shadow   *shadow // nil: none was made
	counts   api.Counters
	lastSeen time.Time
}

// property is the last value of one property; its bytes are used again for the
// next one.
type property struct {
	value []byte
	time  time.Time
}

func newDevice(k key, secret auth.Secret) *device {
	return &device{key: k, name: k.String(), secret: secret, claim: make(chan struct{}, 1)}
}

// iotID is the vendor's opaque identifier of a device.
func (d *device) iotID() string {
	sum := sha256.Sum256([]byte(d.name))
	return hex.EncodeToString(sum[:12])
}

// The errors of the platform's Go methods.
var (
	// ErrUnknownDevice says that there is no such device. Add it, or let the platform create
	// devices (Config.AutoRegister).
	ErrUnknownDevice = errors.New("platform: no such device")
	// ErrTooManyDevices says that Config.MaxDevices is reached.
	ErrTooManyDevices = errors.New("platform: too many devices (see maxDevices)")
	// ErrClosed says that the platform is closed.
	ErrClosed = errors.New("platform: closed")
)

// AddDevice creates a device, or gives one that exists the secret of id, and
// puts it into the topology of gateway (productKey/deviceName; empty: of none).
// A deleted device exists again after that.
func (p *Platform) AddDevice(id auth.Identity, gateway string) error {
	d := Device{ProductKey: id.ProductKey, DeviceName: id.DeviceName, DeviceSecret: id.DeviceSecret, Gateway: gateway}
	if err := d.validate(); err != nil {
		return fmt.Errorf("platform: add device: %w", err)
	}
	p.mu.Lock()
	err := p.addDevice(d)
	p.mu.Unlock()
	return errors.Join(err, p.commit())
}

// addDevice is AddDevice of what is valid. mu is held.
func (p *Platform) addDevice(d Device) error {
	k := key{d.ProductKey, d.DeviceName}
	dev, err := p.create(k, d.DeviceSecret)
	if err != nil {
		return err
	}
	if dev.deleted { // whoever had its token was another
		delete(p.tokens, dev.iotID())
	}
	dev.secret, dev.unverified, dev.deleted = d.DeviceSecret, false, false
	p.alter(dev)
	if d.Gateway == "" {
		return nil
	}
	gk, _ := parseKey(d.Gateway)
	gw := p.devices[gk]
	switch {
	case gk == k:
		return fmt.Errorf("platform: add device: %s is a sub-device of itself", dev.name)
	case gw == nil:
		return fmt.Errorf("%w: gateway %s of %s; add it first", ErrUnknownDevice, gk, dev.name)
	}
	p.attach(gw, dev)
	return nil
}

// create is the device with that key, made when there is none. mu is held.
func (p *Platform) create(k key, secret auth.Secret) (*device, error) {
	if dev := p.devices[k]; dev != nil {
		return dev, nil
	}
	if len(p.devices) >= p.cfg.MaxDevices {
		return nil, ErrTooManyDevices
	}
	k = key{strings.Clone(k.product), strings.Clone(k.device)} // not a part of some message
	dev := newDevice(k, secret)
	p.devices[k] = dev
	p.touch(dev)
	return dev, nil
}

// attach puts dev into gw's topology, and out of another's. mu is held.
func (p *Platform) attach(gw, dev *device) {
	p.detach(dev)
	if gw.children == nil {
		gw.children = map[*device]struct{}{}
	}
	gw.children[dev] = struct{}{}
	dev.parent = gw
	p.alter(dev)
}

// detach takes dev out of the topology that it is in. mu is held.
func (p *Platform) detach(dev *device) {
	if dev.parent != nil {
		p.alter(dev)
		delete(dev.parent.children, dev)
		dev.parent = nil
	}
}

// device is the device with that key, nil when there is none.
func (p *Platform) device(k key) *device {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.devices[k]
}

// deviceFor is the device with that key, made on the fly where that is allowed.
func (p *Platform) deviceFor(k key) (*device, error) {
	if dev := p.device(k); dev != nil {
		return dev, nil
	}
	if !p.cfg.AutoRegister || !validName(k.product) || !validName(k.device) {
		return nil, fmt.Errorf("%w: %s", ErrUnknownDevice, k)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if dev := p.devices[k]; dev != nil {
		return dev, nil
	}
	dev, err := p.create(k, p.cfg.AutoSecret)
	if err == nil {
		dev.unverified = p.cfg.AutoSecret == ""
	}
	return dev, err
}

// randomSecret is a new device secret.
func randomSecret() auth.Secret {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails
	return auth.Secret(hex.EncodeToString(b[:]))
}

// checkIdentity says whether c may log dev in as far as the device itself is
// concerned: CodeOK, CodeDeleted, CodeForbidden or CodeSign.
func (p *Platform) checkIdentity(dev *device, c *credentials) Code {
	p.mu.RLock()
	secret, unverified, disabled, deleted := dev.secret, dev.unverified, dev.disabled, dev.deleted
	p.mu.RUnlock()
	switch {
	case deleted:
		return CodeDeleted
	case disabled:
		return CodeForbidden
	case unverified && newHash(c.method) != nil && c.sign != "":
		return CodeOK
	case !c.verify(secret, p.cfg.Lenient):
		return CodeSign
	default:
		return CodeOK
	}
}

// keep stores a property. d.mu is held. It says false when there are too many.
func (d *device) keep(name, value []byte, at time.Time, limit int) bool {
	prop := d.props[string(name)]
	if prop == nil {
		if len(d.props) >= limit {
			return false
		}
		if d.props == nil {
			d.props = map[string]*property{}
		}
		prop = &property{}
		d.props[string(name)] = prop
	}
	prop.value = append(prop.value[:0], value...)
	prop.time = at
	return true
}

// remember stores an event. d.mu is held.
func (d *device) remember(e api.Event, limit int) {
	switch {
	case limit == 0:
	case len(d.events) < limit:
		d.events = append(d.events, e)
	default:
		d.events[d.next] = e
		d.next = (d.next + 1) % limit
	}
}

// status is dev in short. p.mu is held for reading.
func (p *Platform) status(dev *device) api.Device {
	a := api.Device{
		ProductKey: dev.key.product,
		DeviceName: dev.key.device,
		Since:      dev.since,
		Unverified: dev.unverified,
	}
	via := dev.via.Load()
	switch {
	case dev.deleted:
		a.State = api.Deleted
	case dev.disabled:
		a.State = api.Disabled
	case via != nil:
		a.State, a.Online = api.Online, true
	case dev.since.IsZero():
		a.State = api.Unactive
	default:
		a.State = api.Offline
	}
	if via != nil && via.dev != dev {
		a.Gateway = via.dev.name
	}
	dev.mu.Lock()
	defer dev.mu.Unlock()
	a.Counters, a.LastSeen = dev.counts, dev.lastSeen
	return a
}

// Device is what the platform knows of a device, or an ErrUnknownDevice.
func (p *Platform) Device(productKey, deviceName string) (api.Device, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	dev := p.devices[key{productKey, deviceName}]
	if dev == nil {
		return api.Device{}, fmt.Errorf("%w: %s/%s", ErrUnknownDevice, productKey, deviceName)
	}
	a := p.status(dev)
	for sub := range dev.children {
		a.SubDevices = append(a.SubDevices, sub.name)
	}
	sort.Strings(a.SubDevices)
	dev.mu.Lock()
	defer dev.mu.Unlock()
	a.Properties = make(map[string]api.Property, len(dev.props))
	for name, prop := range dev.props {
		a.Properties[name] = api.Property{Value: json.RawMessage(bytes.Clone(prop.value)), Time: prop.time}
	}
	a.Events = append(append([]api.Event{}, dev.events[dev.next:]...), dev.events[:dev.next]...)
	a.Tags = maps.Clone(dev.tags)
	return a, nil
}

// Devices is a page of the devices, by name: limit of them from offset on
// (limit 0: all), of those that are online, of those that are not, or (online
// nil) of all.
func (p *Platform) Devices(online *bool, offset, limit int) api.Page {
	p.mu.RLock()
	defer p.mu.RUnlock()
	list := make([]*device, 0, len(p.devices))
	for _, dev := range p.devices {
		if online == nil || *online == (dev.via.Load() != nil) {
			list = append(list, dev)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].name < list[j].name })
	page := api.Page{Devices: []api.Device{}, Total: len(list), Offset: offset, Limit: limit}
	list = list[min(max(offset, 0), len(list)):]
	if limit > 0 {
		list = list[:min(limit, len(list))]
	}
	for _, dev := range list {
		page.Devices = append(page.Devices, p.status(dev))
	}
	return page
}

func (p *Platform) secretOf(dev *device) auth.Secret {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return dev.secret
}
