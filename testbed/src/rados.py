"""Ceph's own client for linger's tests: JSON lines in, JSON lines out, many requests at a time.

A request is {"id": N, "verb": ..., ...}, its answer {"id": N, "ok": ...} or {"id": N, "errno": E, "error": ...}; between
them come {"event": "notify" | "lost", "watch": W, ...}. Bytes are strings of the code points 0 to 255.

Notifies, and watches with a locator key, go through librados by ctypes: python-rados hides a notify's acks, and drops the
key of a watched object. Before Octopus it has no watches at all.
"""
import concurrent.futures
import ctypes
import errno
import itertools
import json
import os
import struct
import sys
import threading
import time

import rados

CONF = os.environ['CEPH_CONF']
CLIENT = 'client.admin'
PYTHON_WATCHES = hasattr(rados, 'Watch')
out_lock = threading.Lock()
open_lock = threading.Lock()
watches = {}
watch_numbers = itertools.count(1)


def say(message):
    line = json.dumps(message)
    with out_lock:
        sys.stdout.write(line + '\n')
        sys.stdout.flush()


def text(data):
    return (data or b'').decode('latin-1')


def connect():
    end = time.time() + 60
    cluster = rados.Rados(conffile=CONF, name=CLIENT, conf={'rados_mon_op_timeout': '20'})
    while True:
        try:
            cluster.connect(timeout=5)
            return cluster
        except rados.ObjectNotFound:    # bad key or no such file: will not pass
            raise
        except rados.Error:
            if time.time() > end:
                raise


class Raw:
    """librados by ctypes."""

    NOTIFIED = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64,
                                ctypes.c_void_p, ctypes.c_size_t)
    LOST = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int)

    def __init__(self):
        self.lib = ctypes.CDLL('librados.so.2')
        self.handle = ctypes.c_void_p()
        self.check(self.lib.rados_create2(ctypes.byref(self.handle), b'ceph', CLIENT.encode(), ctypes.c_uint64(0)))
        self.check(self.lib.rados_conf_read_file(self.handle, CONF.encode()))
        self.check(self.lib.rados_connect(self.handle))
        self.lib.rados_get_instance_id.restype = ctypes.c_uint64
        self.lib.rados_buffer_free.argtypes = [ctypes.c_void_p]
        self.pools = {}

    def check(self, code):
        if code < 0:
            raise OSError(-code, os.strerror(-code))

    def ioctx(self, place):
        with open_lock:
            if place not in self.pools:
                pool, space, key = place
                io = ctypes.c_void_p()
                self.check(self.lib.rados_ioctx_create(self.handle, pool.encode(), ctypes.byref(io)))
                self.lib.rados_ioctx_set_namespace(io, space.encode())
                if key:
                    self.lib.rados_ioctx_locator_set_key(io, key.encode())
                self.pools[place] = io
            return self.pools[place]

    def notify(self, place, name, data, timeout_ms):
        io, reply, size = self.ioctx(place), ctypes.c_void_p(), ctypes.c_size_t()
        begin = time.time()
        code = self.lib.rados_notify2(io, name.encode(), data, len(data), ctypes.c_uint64(timeout_ms),
                                      ctypes.byref(reply), ctypes.byref(size))
        spent = time.time() - begin
        raw = ctypes.string_at(reply, size.value) if reply.value else b''
        if reply.value:
            self.lib.rados_buffer_free(reply)
        if code < 0 and code != -errno.ETIMEDOUT:
            self.check(code)
        acks, timeouts = decode_report(raw)
        return {'errno': -code, 'acks': acks, 'timeouts': timeouts, 'micros': int(spent * 1e6)}

    def instance_id(self):
        return self.lib.rados_get_instance_id(self.handle)

    def watch(self, place, name, timeout, notified, lost):
        io, cookie = self.ioctx(place), ctypes.c_uint64()

        def on_notify(_, notify_id, handle, notifier, data, size):
            reply = notified(notify_id, notifier, handle, ctypes.string_at(data, size) if size else b'')
            if reply is not None:
                self.lib.rados_notify_ack(io, name.encode(), ctypes.c_uint64(notify_id), ctypes.c_uint64(handle),
                                          reply, len(reply))

        calls = self.NOTIFIED(on_notify), self.LOST(lambda _, cookie, code: lost(cookie, code))
        self.check(self.lib.rados_watch3(io, name.encode(), ctypes.byref(cookie), calls[0], calls[1],
                                         ctypes.c_uint32(timeout), None))
        return RawWatch(self, io, cookie, calls)


class RawWatch:
    def __init__(self, raw, io, cookie, calls):
        self.raw, self.io, self.cookie, self.calls = raw, io, cookie, calls

    def get_id(self):
        return self.cookie.value

    def close(self):
        self.raw.check(self.raw.lib.rados_unwatch2(self.io, self.cookie))
        self.raw.check(self.raw.lib.rados_watch_flush(self.raw.handle))


def decode_report(raw):
    """A notify's reply: acks by (client, cookie), then those who did not ack."""
    acks, timeouts, at = [], [], 0

    def take(form):
        nonlocal at
        values = struct.unpack_from('<' + form, raw, at)
        at += struct.calcsize('<' + form)
        return values

    if raw:
        for _ in range(take('I')[0]):
            client, cookie, size = take('QQI')
            acks.append({'client': client, 'cookie': cookie, 'data': text(raw[at:at + size])})
            at += size
        for _ in range(take('I')[0]):
            client, cookie = take('QQ')
            timeouts.append({'client': client, 'cookie': cookie})
    return acks, timeouts


cluster = connect()
pools = {}
raw_client = None


def raw():
    global raw_client
    with open_lock:
        if raw_client is None:
            raw_client = Raw()
        return raw_client


def ioctx(place):
    with open_lock:
        if place not in pools:
            io = cluster.open_ioctx(place[0])
            io.set_namespace(place[1])
            if place[2]:
                io.set_locator_key(place[2])
            pools[place] = io
        return pools[place]


def command(send, r):
    code, out, why = send(json.dumps(dict({'format': 'json'}, **r['command'])), r.get('input', '').encode('latin-1'))
    if code:
        raise OSError(-code, why)
    return text(out)


def watch(r, place, name):
    number, cell = next(watch_numbers), {}
    reply, delay = r['reply'], r['delay_ms']

    def notified(notify_id, notifier, cookie, data):
        say({'event': 'notify', 'watch': number, 'notify_id': notify_id, 'notifier': notifier, 'data': text(data)})
        time.sleep(delay / 1000)
        return reply.encode('latin-1')

    def lost(cookie, code):
        say({'event': 'lost', 'watch': number, 'errno': abs(code)})

    if place[2] or not PYTHON_WATCHES:
        cell = raw().watch(place, name, r['timeout'], notified, lost)
    else:
        cell = ioctx(place).watch(name, notified, lost, r['timeout'])
    watches[number] = cell
    return {'watch': number, 'cookie': cell.get_id()}


def serve(r):
    verb = r['verb']
    if verb == 'mon_command':
        return command(cluster.mon_command, r)
    if verb == 'mgr_command':
        return command(cluster.mgr_command, r)
    if verb == 'instance_id':
        return cluster.get_instance_id() if PYTHON_WATCHES else raw().instance_id()
    if verb == 'notifier_id':
        return raw().instance_id()
    if verb == 'unwatch':
        return watches.pop(r['watch']).close()
    place, name = (r['pool'], r['namespace'], r['key']), r['object']
    if verb == 'write_full':
        return ioctx(place).write_full(name, r['data'].encode('latin-1'))
    if verb == 'read':
        return text(ioctx(place).read(name, r['length']))
    if verb == 'stat':
        return ioctx(place).stat(name)[0]
    if verb == 'remove':
        ioctx(place).remove_object(name)
        return None
    if verb == 'watch':
        return watch(r, place, name)
    if verb == 'notify':
        return raw().notify(place, name, r['data'].encode('latin-1'), r['timeout_ms'])
    raise OSError(errno.EINVAL, 'no such verb: ' + verb)


def answer(r):
    try:
        say({'id': r['id'], 'ok': serve(r)})
    except Exception as e:
        say({'id': r['id'], 'errno': abs(getattr(e, 'errno', None) or errno.EIO), 'error': '%s: %s' % (type(e).__name__, e)})


say({'event': 'ready'})
with concurrent.futures.ThreadPoolExecutor(32) as workers:
    for line in sys.stdin:
        workers.submit(answer, json.loads(line))
    os._exit(0)     # what is watched stays so until the OSDs give up on it
