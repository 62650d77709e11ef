#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What of mp_bench can be asked of CPython's multiprocessing, too: the same metrics, the same lines.

    python_bench.py [--runs N]

Each line: metric<TAB>subject<TAB>median<TAB>unit.
"""
import multiprocessing
import statistics
import sys
import time

SUBJECT = "CPython %d.%d" % sys.version_info[:2]
SMALL = bytes(64)
HUGE = 1 << 30


def report(metric, subject, samples, unit):
    print(f"{metric}\t{SUBJECT} {subject}\t{statistics.median(samples):.6g}\t{unit}", flush=True)


def seconds(function, *arguments):
    begin = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begin


# ---- messages -------------------------------------------------------------------------------------------------------------


def pipe_partner(end):
    while True:
        order = end.recv()
        if order is None:
            return
        what, count = order
        if what == "echo":
            for _ in range(count):
                end.send_bytes(end.recv_bytes())
        elif what == "stream":
            for _ in range(count):
                end.send_bytes(SMALL)
        else:
            message = b"x" * count
            end.send_bytes(SMALL)  # it is there
            end.send_bytes(message)


def receive(end, count):
    for _ in range(count):
        end.recv_bytes()


def echo(end, count):
    for _ in range(count):
        end.send_bytes(SMALL)
        end.recv_bytes()


def measure_pipe(runs):
    end, other = multiprocessing.Pipe()
    partner = multiprocessing.Process(target=pipe_partner, args=(other,))
    partner.start()
    there_and_back, stream, huge = [], [], []
    for _ in range(runs):
        count = 3000
        end.send(("echo", count))
        there_and_back.append(seconds(echo, end, count) / count * 1e9)
        count = 100000
        end.send(("stream", count))
        stream.append(count / seconds(receive, end, count))
        end.send(("huge", HUGE))
        end.recv_bytes()
        huge.append(HUGE / seconds(receive, end, 1) / 1e9)
    end.send(None)
    partner.join()
    report("rtt_64B", "Pipe", there_and_back, "ns")
    report("stream_64B", "Pipe", stream, "msg/s")
    report("one_1GB", "Pipe", huge, "GB/s")


def put_all(queue, count):
    for _ in range(count):
        queue.put(SMALL)


def get_all(queue, count):
    for _ in range(count):
        queue.get()


def measure_queue(runs):
    samples, count = [], 50000
    for _ in range(runs):
        queue = multiprocessing.Queue()
        partner = multiprocessing.Process(target=put_all, args=(queue, count))
        partner.start()
        queue.get()
        samples.append((count - 1) / seconds(get_all, queue, count - 1))
        partner.join()
    report("stream_64B", "Queue", samples, "msg/s")


# ---- locks ----------------------------------------------------------------------------------------------------------------


def take_and_give(lock, count):
    for _ in range(count):
        lock.acquire()
        lock.release()


def add(lock, value, count):
    for _ in range(count):
        with lock:
            value.value += 1


def add_together(lock, value, count):
    processes = [multiprocessing.Process(target=add, args=(lock, value, count)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def measure_lock(runs):
    lock, value = multiprocessing.Lock(), multiprocessing.RawValue("q", 0)
    count = 500000
    report("lock_uncontended", "Lock", [seconds(take_and_give, lock, count) / count * 1e9 for _ in range(runs)], "ns")
    count = 200000
    rates = [2 * count / seconds(add_together, lock, value, count) for _ in range(runs)]
    report("lock_contended_2p", "Lock", rates, "ops/s")


# ---- processes and pools --------------------------------------------------------------------------------------------------


def nothing():
    pass


def same(number):
    return number


def start_and_join(context):
    process = context.Process(target=nothing)
    process.start()
    process.join()


def measure_start(runs):
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        start_and_join(context)
        report("start_join", method, [seconds(start_and_join, context) * 1e6 for _ in range(10 * runs)], "us")


def apply_all(pool, count):
    for _ in range(count):
        pool.apply(nothing)


def iterate(pool, count):
    for _ in pool.imap_unordered(same, range(count)):
        pass


def measure_pool(runs):
    with multiprocessing.Pool(2) as pool:
        pool.map(same, range(1000))
        count, many = 20000, 1000000
        one = [count / seconds(pool.map, same, range(count), 1) for _ in range(runs)]
        chunks = [many / seconds(pool.map, same, range(many)) for _ in range(runs)]
        unordered = [count / seconds(iterate, pool, count) for _ in range(runs)]
        applied = [seconds(apply_all, pool, 2000) / 2000 * 1e9 for _ in range(runs)]
    report("pool_map_chunk1", "Pool(2)", one, "tasks/s")
    report("pool_map_auto", "Pool(2)", chunks, "tasks/s")
    report("pool_imap_unordered", "Pool(2)", unordered, "tasks/s")
    report("pool_apply_rtt", "Pool(2)", applied, "ns")


def main(arguments):
    if arguments and (len(arguments) != 2 or arguments[0] != "--runs" or not arguments[1].isdigit()):
        sys.exit("usage: python_bench.py [--runs N]")
    runs = int(arguments[1]) if arguments else 3
    for measure in (measure_start, measure_lock, measure_pipe, measure_queue, measure_pool):
        measure(runs)


if __name__ == "__main__":
    main(sys.argv[1:])
