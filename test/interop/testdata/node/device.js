'use strict';
// Devices of the vendor's SDK for Node.js, against the platform of the arguments.
// Every step is told on a line of its own; the test looks at them and tells, on
// standard input, when to end.
const iot = require('alibabacloud-iot-device-sdk');

const [, , brokerUrl, authUrl] = process.argv;
const say = (step, what) => console.log(step + ' ' + JSON.stringify(what));
const device = (productKey, deviceName, deviceSecret) => ({ productKey, deviceName, deviceSecret, brokerUrl, keepalive: 60 });
const truck = (deviceName, deviceSecret) => ({ productKey: 'truckPk', deviceName, deviceSecret });

function direct() {
  const d = iot.device(device('truckPk', 'direct-1', 's3cret'));
  d.on('error', (e) => say('direct-error', String(e)));
  d.on('close', () => say('direct-closed', {}));
  d.once('connect', () => {
    d.postProps({ speed: 60.5 }, (r) => say('direct-property', r));
    d.postEvent('alarm', { what: 'sos' }, (r) => say('direct-event', r));
    d.postTags([{ attrKey: 'color', attrValue: 'red' }], (r) => say('direct-tags', r));
    d.deleteTags(['none'], (r) => say('direct-untag', r));
    d.getConfig((r) => say('direct-config', r));
    d.onProps((r) => {
      say('direct-set', r);
      d.publish('/sys/truckPk/direct-1/thing/service/property/set_reply', JSON.stringify({ id: r.id, code: 200, data: {} }));
    });
    d.onService('text', (r, reply) => {
      say('direct-service', r);
      reply({ id: r.id, code: 200, data: { said: r.params.text } }, r.params.how);
    });
    d.onShadow((r) => say('direct-shadow', r));
    d.postShadow({ color: 'red' });
    d.subscribe('/truckPk/direct-1/user/get', () => {
      d.publish('/truckPk/direct-1/user/update', 'hello', { qos: 1 }, () => say('direct-ready', {}));
    });
  });
  return d;
}

function gateway() {
  const g = iot.gateway(device('gatewayPk', 'node-gw', 's3cret'));
  const sub = truck('truck-n', 'sub-s3cret');
  g.on('error', (e) => say('gateway-error', String(e)));
  g.on('close', () => say('gateway-closed', {}));
  g.once('connect', () => {
    g.addTopo([sub], (added) => {
      say('gateway-add', added);
      g.getTopo((topo) => say('gateway-topo', topo));
      g.regiestSubDevice([{ productKey: 'truckPk', deviceName: 'found-1' }], (r) => say('gateway-register', r));
      const s = g.login(sub, (r) => say('gateway-login', r));
      s.on('connect', () => {
        s.postProps({ speed: 1 }, (r) => {
          say('sub-property', r);
          g.logout([{ productKey: sub.productKey, deviceName: sub.deviceName }][0], (out) => {
            say('gateway-logout', out);
            g.removeTopo([{ productKey: sub.productKey, deviceName: sub.deviceName }], (r) => say('gateway-remove', r));
          });
        });
      });
    });
  });
  return g;
}

iot.register({ productKey: 'truckPk', productSecret: 'product-s3cret', deviceName: 'fresh-1', registerURL: authUrl + '/auth/register/device' }, (r) => {
  say('register', r instanceof Error ? { error: String(r) } : r);
  const f = iot.device(device('truckPk', 'fresh-1', (r.data || {}).deviceSecret || 'none'));
  f.on('error', (e) => say('fresh-error', String(e)));
  f.once('connect', () => f.postProps({ a: 1 }, (p) => { say('fresh-property', p); f.end(true); }));
});
const all = [direct(), gateway()];
process.stdin.resume();
process.stdin.on('end', () => { all.forEach((c) => c.end(true)); process.exit(0); });
