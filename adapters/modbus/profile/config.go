package profile

import "time"

// Config is a profile as configurations have it: a product's points, and what
// holds for those that do not say otherwise.
type Config struct {
	Interval  time.Duration    `conf:"interval" doc:"how often points are read"`
	Base      int              `conf:"base" doc:"the number of the first register in plain addresses: 0 as on the wire, 1 as in many data sheets; numbers such as 40001 mean the same with both"`
	Order     string           `conf:"order" doc:"how the bytes of values lie in their registers: ABCD (high register first), CDAB (low register first), BADC or DCBA"`
	MaxGap    int              `conf:"maxGap" doc:"most registers (of coils and inputs: 16 times as many bits) between two points that are read in one request all the same"`
	MaxLength int              `conf:"maxLength" doc:"most registers that are read in one request, 1 to 125; of coils and inputs 16 times as many bits, at most 2000"`
	Holes     []string         `conf:"holes" doc:"addresses that must not be read, such as 40011-40020 or input:7-9, as units refuse requests that touch them"`
	Report    string           `conf:"report" doc:"poll: values are reported each time they were read; change: when they have changed"`
	AtLeast   time.Duration    `conf:"atLeast" doc:"with report = change: a value is reported after so long also when it has not changed; 0: never"`
	CSV       string           `conf:"csv" doc:"a table with points, added to those below; relative to the configuration file"`
	Points    map[string]Point `conf:"points" doc:"the points, by the names of their properties at the platform"`
}

// Point is one value of a unit as configurations have it. What is empty or zero
// is as its [Config] says.
type Point struct {
	Area      string            `conf:"area" doc:"coil, discreteInput, inputRegister or holdingRegister; not needed with addresses such as 40001"`
	Function  int               `conf:"function" doc:"in place of area, the function that reads it: 1 coil, 2 discrete input, 3 holding register, 4 input register"`
	Address   string            `conf:"address,required" doc:"40001, 4x0001, holding:0, or a plain number of the area" example:"40001"`
	Type      string            `conf:"type" doc:"bit, int16, uint16, int32, uint32, int64, uint64, float32, float64, bcd, signMagnitude, bitField or string; default: bit for coils and inputs, uint16 for registers"`
	Registers int               `conf:"registers" doc:"registers of a bcd, signMagnitude, bitField or string; 0: 1"`
	Bit       int               `conf:"bit" doc:"of a bit in a register and of a bitField: the lowest bit, 0 to 63"`
	Bits      int               `conf:"bits" doc:"of a bitField: how many bits; 0: 1"`
	Order     string            `conf:"order" doc:"ABCD, CDAB, BADC or DCBA; default: the profile's"`
	Scale     string            `conf:"scale" doc:"what the number in the registers is multiplied by, such as 0.1; default: 1"`
	Offset    string            `conf:"offset" doc:"what is added then, such as -40; default: 0"`
	Decimals  *int              `conf:"decimals" doc:"digits behind the point that are reported, 0 to 9; default: as many as there are"`
	AsText    bool              `conf:"asText" doc:"report the whole number as a text with all its digits, as \"18446744073709551615\": for numbers of 64 bits, of which platforms that take numbers for floating point keep 15 digits"`
	Unit      string            `conf:"unit" doc:"for people: V, kWh"`
	Title     string            `conf:"title" doc:"for people: what it is"`
	Enum      map[string]string `conf:"enum" doc:"texts in place of numbers: { 0 = off, 1 = on }"`
	Invalid   []string          `conf:"invalid" doc:"numbers that mean no value, such as 0x7FFF as registers have it, or -9999 as it is read, before scale; the point is left out then"`
	Access    string            `conf:"access" doc:"r: read; w: written; rw: both"`
	Write     string            `conf:"write" doc:"how it is written: single (functions 5 and 6), multiple (15 and 16), or auto: single where one register or coil is enough. Bits of a register are written with function 22 or, with modify, by reading the register and writing it back"`
	Min       string            `conf:"min" doc:"lowest value that may be written"`
	Max       string            `conf:"max" doc:"highest value that may be written"`
	Interval  time.Duration     `conf:"interval" doc:"how often it is read; 0: as the profile says"`
	Report    string            `conf:"report" doc:"poll or change; default: the profile's"`
	Deadband  string            `conf:"deadband" doc:"with report = change: a number has changed when it differs by more than this from the one reported last"`
	AtLeast   *time.Duration    `conf:"atLeast" doc:"with report = change: report it after so long also when it has not changed; default: the profile's"`
}

// The words that keys may be.
const (
	reportPoll   = "poll"
	reportChange = "change"

	accessRead  = "r"
	accessWrite = "w"
	accessBoth  = "rw"

	writeAuto     = "auto"
	writeSingle   = "single"
	writeMultiple = "multiple"
	writeModify   = "modify"
)

// DefaultConfig is what holds for everything that is not written.
func DefaultConfig() Config {
	return Config{
		Interval:  30 * time.Second,
		Order:     "ABCD",
		MaxGap:    8,
		MaxLength: 100,
		Report:    reportPoll,
	}
}

// SetDefaults sets c to [DefaultConfig], before a configuration is laid over it.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// DefaultPoint is a point of which nothing is written.
func DefaultPoint() Point { return Point{Access: accessRead, Write: writeAuto} }

// SetDefaults sets p to [DefaultPoint], before a configuration is laid over it.
func (p *Point) SetDefaults() { *p = DefaultPoint() }

// Limits of a profile.
const (
	MaxPoints   = 4096                   // points of one profile
	MaxName     = 64                     // characters of a point's name
	MinInterval = 100 * time.Millisecond // of polls
	MaxInterval = 7 * 24 * time.Hour     // of polls
)
