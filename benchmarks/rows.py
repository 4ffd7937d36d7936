"""Rows: what is measured, against what, and how far it has to reach. A new figure is a new row."""

from benchmarks.row import Row

DRAWS = "benchmarks.experiments.draws"
CONTIGUOUS = "our own contiguous speed"
CONSTANT = "a FastAPI endpoint that validates the same model and returns a constant"
ONE_THREAD = "M/s"


def list_draws() -> list[Row]:
    """List the rows of float32."""
    targets = {"normal": 2.5, "uniform": 4.0, "truncated normal": 8.0}
    return [
        Row(
            f"draw-{text.partition(' ')[0]}",
            f"draw {text} float32, one thread",
            "the fastest of PyTorch, NumPy, JAX and Keras",
            ONE_THREAD,
            "at least",
            target,
            f"{DRAWS}:race_everyone",
            (text.replace(" ", "_"),),
            pinned=True,
        )
        for text, target in targets.items()
    ]


def list_halves() -> list[Row]:
    """List the rows of the 16-bit dtypes."""
    return [
        Row(
            f"draw-{dtype}-{distribution}",
            f"draw {distribution} {dtype}, one thread",
            f"PyTorch `{distribution}_`",
            ONE_THREAD,
            "at least",
            2.0,
            f"{DRAWS}:race_torch",
            (distribution, dtype),
            pinned=True,
        )
        for dtype in ("bfloat16", "float16")
        for distribution in ("normal", "uniform")
    ]


def list_walks() -> list[Row]:
    """List the rows of layouts and slices."""
    texts = {
        "layout-dense": "Keras' layout of a dense kernel, `IO`",
        "layout-convolution": "Keras' layout of a convolution kernel, `HWIO`",
        "slice-64": "a slice with runs of 64 elements",
        "slice-8": "a slice with runs of 8 elements",
    }
    return [
        Row(
            name,
            text,
            CONTIGUOUS,
            ONE_THREAD,
            "at least",
            0.6,
            "benchmarks.experiments.walks:race_walk",
            (name,),
            pinned=True,
        )
        for name, text in texts.items()
    ]


ROWS = [
    *list_draws(),
    *list_halves(),
    *list_walks(),
    Row(
        "threads-two",
        "two threads over one, drawing normal float32",
        "the same of NumPy's Generator",
        "×",
        "at least",
        0.95,
        "benchmarks.experiments.threads:race_threads",
    ),
    Row(
        "transfer-torch",
        "2 GiB normal float32 through HTTP into a torch tensor",
        "`torch.nn.init.normal_` on that tensor, all cores",
        "GB/s",
        "at least",
        1.5,
        "benchmarks.experiments.transfer:race_torch",
    ),
    Row(
        "transfer-nginx",
        "2 GiB normal float32 through HTTP into a torch tensor",
        "nginx sending the same bytes from memory to the same client",
        "GB/s",
        "at least",
        0.8,
        "benchmarks.experiments.transfer:race_nginx",
    ),
    *(
        Row(
            f"keras-{backend}",
            f"Keras on {title}: truncated He normal for a Dense(4096 → 16384) through the client",
            "Keras' own",
            "M/s",
            "at least",
            8.0,
            "benchmarks.experiments.initializers:race_keras",
            environment={"KERAS_BACKEND": backend},
        )
        for backend, title in (("torch", "PyTorch"), ("jax", "JAX"))
    ),
    Row(
        "orthogonal-square",
        "orthogonal 4096 × 4096 float32, all cores",
        "the fastest of PyTorch, JAX and Keras",
        "M/s",
        "at least",
        1.0,
        "benchmarks.experiments.orthogonal:race_orthogonal",
    ),
    Row(
        "requests-parameters",
        "`GET /v1/parameters`",
        CONSTANT,
        "requests/s",
        "at least",
        0.9,
        "benchmarks.experiments.requests:race_parameters",
    ),
    Row(
        "requests-parameters-post",
        "`POST /v1/parameters`",
        CONSTANT,
        "requests/s",
        "at least",
        0.9,
        "benchmarks.experiments.requests:race_posts",
    ),
    Row(
        "requests-weights",
        "`GET /v1/weights` of 100 × 100",
        CONSTANT,
        "requests/s",
        "at least",
        0.6,
        "benchmarks.experiments.requests:race_weights",
    ),
    *(
        Row(
            name,
            text,
            "`/livez`",
            "µs",
            "at most",
            3.0,
            "benchmarks.experiments.latency:race_livez",
            (name,),
        )
        for name, text in (
            ("latency-tail", "the last 1 KiB of a tensor of 100 GiB"),
            ("latency-row", "one row of it, 4096 elements, in PyTorch's layout"),
            ("latency-row-keras", "one row of it, 4096 elements, in Keras' layout"),
        )
    ),
    Row(
        "memory-stalled",
        "server memory with a tensor of 1 TiB open by 64 readers, 50 of them stalled",
        "idle",
        "MiB",
        "at most",
        64.0,
        "benchmarks.experiments.memory:measure_stalled",
        compared="difference",
    ),
    *(
        Row(
            name,
            text,
            "idle",
            "ms",
            "at most",
            20.0,
            "benchmarks.experiments.fairness:race_idle",
            (name,),
            compared="value",
        )
        for name, text in (
            ("fairness-small", "first byte of 100 × 100 weights with 8 full-speed streams, p99"),
            ("fairness-large", "first byte of 1 GiB of weights with 8 full-speed streams, p99"),
            ("fairness-livez", "`/livez` with 8 full-speed streams, p99"),
        )
    ),
    Row(
        "start-second",
        "start to ready, second start",
        "",
        "s",
        "at most",
        2.0,
        "benchmarks.experiments.start:measure_start",
        compared="value",
    ),
]
