"""Growth: the same work at many sizes, whose rounds go through all of them in turn."""

from collections.abc import Callable, Iterable
from functools import partial

from benchmarks.curves import Points
from benchmarks.experiments.draws import make_memory, make_tensor
from benchmarks.measure import time_work
from benchmarks.processes import read_peak, reset_peak
from benchmarks.readers import Order, run_readers
from benchmarks.scale import Scale
from benchmarks.servers import Server, run_service
from benchmarks.wire import make_weights
from service.stream import Tensor

GIB = 2**30
ITEMSIZE = 4
LONG = GIB  # bytes from which on one round has to do
SHARE = (1024, 4096)  # of each reader: 16 MiB
NANO = 1e9


def grow_size(scale: Scale) -> Points:
    """Stream tensors of 1 KiB to 64 GiB to one reader that drops them; those beyond 1 GiB once."""
    sizes = [4**power for power in range(5, scale.pick(19, 13))]  # 4⁵ is 1 KiB, 4¹⁸ 64 GiB
    points: Points = {"seconds": [(size, []) for size in sizes], "MiB": [(size, []) for size in sizes]}
    with run_service() as service, service.connect() as connection:

        def stream(size: int) -> float:
            columns = min(size // ITEMSIZE, 4096)
            reply = connection.ask(make_weights(size // ITEMSIZE // columns, columns, name=f"size/{size}"))
            if reply.length != size:
                raise RuntimeError(f"{reply.length} bytes came, not {size}")
            return reply.last

        stream(2**24)
        for turn in range(scale.rounds):
            for place, size in enumerate(sizes):
                if size <= LONG or not turn:
                    add_cost(points, place, service, partial(stream, size))
    return points


def grow_readers(scale: Scale) -> Points:
    """Let 1 to 256 readers, in two processes, each read a tensor of 16 MiB."""
    numbers = [2**power for power in range(scale.pick(9, 5))]
    points: Points = {"seconds": [(number, []) for number in numbers], "MiB": [(n, []) for n in numbers]}
    with run_service() as service:

        def read(number: int) -> float:
            half = number // 2
            orders = [Order(service.port, number - half, *SHARE)]
            orders += [Order(service.port, half, *SHARE, first=number - half)] if half else []
            with run_readers(orders) as readers:
                readers.start()
                return readers.wait_until_read()

        read(2)
        for _ in range(scale.rounds):
            for place, number in enumerate(numbers):
                add_cost(points, place, service, partial(read, number))
    return points


def add_cost(points: Points, place: int, service: Server, run: Callable[[], float]) -> None:
    """Add the seconds of some work, and the most memory that the server held meanwhile."""
    reset_peak(service.pid)
    points["seconds"][place][1].append(run())
    points["MiB"][place][1].append(read_peak(service.pid))


def grow_slices(scale: Scale) -> Points:
    """Draw a million elements in slices of other shapes: nanoseconds of an element, by the length of runs."""
    elements = scale.pick(2**20, 2**14)
    memory = make_memory(elements * ITEMSIZE)
    slices = dict(list_slices(elements))
    points: Points = {series: [(run, []) for run, _ in cuts] for series, cuts in slices.items()}
    for turn in range(-1, scale.rounds):
        for series, cuts in slices.items():
            for place, (_, tensor) in enumerate(cuts):
                seconds = time_work(partial(tensor.fill, 0, memory))
                if turn >= 0:
                    points[series][place][1].append(NANO * seconds / elements)
    return points


def list_slices(elements: int) -> Iterable[tuple[str, list[tuple[int, Tensor]]]]:
    """List the shapes of slices, each with tensors of so many elements by the length of their runs."""
    runs = [2**power for power in range(15) if 2**power <= elements]
    sides = [run for run in runs if run * run <= elements]
    draw = partial(make_tensor, distribution="normal")
    yield "contiguous", [(elements, draw((elements // 256, 256)))]
    yield (
        "rows of OI",
        [(run, draw((elements // run, 2**15), box=cut((elements // run, run)))) for run in runs],
    )
    yield (
        "rows of IO",
        [(run, draw((elements // run, 2**15), layout="IO", box=cut((elements // run, run)))) for run in runs],
    )
    yield (
        "square blocks of stacked OI",
        [
            (
                side,
                draw(
                    (elements // side**2, 2048, 2048),
                    layout="BOI",
                    box=cut((elements // side**2, side, side)),
                ),
            )
            for side in sides
        ],
    )


def cut(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Cut a box of a shape, some way into the last axis."""
    *others, last = shape
    return (*(slice(0, size) for size in others), slice(100, 100 + last))
