/* Stream version 1 of weightinit: a second implementation, which follows docs/stream.md section by section.
 *
 *     cc -std=c11 -O2 -ffp-contract=off -o weightinit weightinit.c
 *     ./weightinit tables.npy 'shape=784,300&scheme=he_normal&seed=42&name=hidden1' > weights
 *     ./weightinit tables.npy < queries > vectors.jsonl
 *
 * A query is that of GET /v1/weights: percent-encoded fields of a spec, and `slice`. With a query as argument, the
 * program writes the bytes of the weights. Without one, it reads a query from each line of the standard input and
 * writes the length, the SHA-256 and the ends of the weights as a line of JSON.
 */
#include <float.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "the arithmetic must be that of the type: on x86, compile with -msse2 -mfpmath=sse"
#endif

enum { MAX_AXES = 8, MAX_NAME = 1024, MAX_QUERY = 16384, TABLE_BYTES = 2 * 1024 * 4 * 8, ENDS = 8 };
enum { UNIFORM, NORMAL, TRUNCATED_NORMAL };
enum { FAN_IN, FAN_OUT, FAN_AVG, FAN_GEO_AVG };
enum { FLOAT64, FLOAT32, FLOAT16, BFLOAT16 };

static const char DOMAIN[] = "weightinit stream", MASK_DOMAIN[] = "weightinit sparse"; /* 17 bytes each */
static const double TRUNCATED_STDDEV = 0.87962566103423978;
static const int sizes[] = {8, 4, 2, 2};

static double table[2][1024][4];
static jmp_buf refusal;
static const char *reason;

static _Noreturn void refuse(const char *why) {
    reason = why;
    longjmp(refusal, 1);
}

static void put_le(uint8_t *bytes, uint64_t value, int count) {
    for (int i = 0; i < count; i++) bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_le(const uint8_t *bytes, int count) {
    uint64_t value = 0;
    for (int i = count; i-- > 0;) value = value << 8 | bytes[i];
    return value;
}

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return bits;
}

static double from_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

static double from_bits32(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/* 2^exponent, for normal numbers. */
static double power(int exponent) { return from_bits((uint64_t)(1023 + exponent) << 52); }

/* --- SHA-256, FIPS 180-4 ------------------------------------------------------------------------------ */

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t word, int by) { return word >> by | word << (32 - by); }

static void sha256_block(uint32_t state[8], const uint8_t block[64]) {
    uint32_t w[64] = {0}, s[8];
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 4; j++) w[i] = w[i] << 8 | block[4 * i + j];
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t sum1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
        uint32_t t1 = s[7] + sum1 + ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[i] + w[i];
        uint32_t sum0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
        uint32_t t2 = sum0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

typedef struct {
    uint32_t state[8];
    uint8_t block[64];
    uint64_t length;
} sha256;

static void sha256_start(sha256 *hash) {
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(hash->state, initial, sizeof initial);
    hash->length = 0;
}

static void sha256_add(sha256 *hash, const void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        hash->block[hash->length++ % 64] = ((const uint8_t *)bytes)[i];
        if (hash->length % 64 == 0) sha256_block(hash->state, hash->block);
    }
}

static void sha256_end(sha256 *hash, uint8_t digest[32]) {
    uint64_t bits = hash->length * 8;
    uint8_t length[8];
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(hash, "\x80", 1);
    while (hash->length % 64 != 56) sha256_add(hash, "", 1);
    sha256_add(hash, length, 8);
    for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

static void format_hex(const uint8_t *bytes, size_t count, char *text) {
    for (size_t i = 0; i < count; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* --- the query ----------------------------------------------------------------------------------------- */

enum { SHAPE, LAYOUT, GROUPS, TRANSPOSED, STRIDE, GIVEN_IN, GIVEN_OUT, FANS_AS, ACTIVATION, PARAMETER, SCHEME, SCALE,
       MODE, SLOPE, GAIN, DISTRIBUTION, STDDEV, PARENT_STDDEV, LIMIT, LOWER, UPPER, LOW, HIGH, MEAN, SPARSITY, AXIS,
       CENTER, VALUE, DTYPE, SEED, NAME, SLICE, VALUES_RULE, START, STEP, BASE, DIVISOR, INTERLEAVED, COSINE_FIRST, GRID,
       LINE_FIRST, STEPS, FLOOR, FIELDS };

static const char *const fields[FIELDS] = {
    "shape", "layout", "groups", "transposed", "stride", "fan_in", "fan_out", "fans_as", "activation",
    "activation_parameter", "scheme", "scale", "mode", "negative_slope", "gain", "distribution", "stddev",
    "parent_stddev", "limit", "lower", "upper", "low", "high", "mean", "sparsity", "sparsity_axis", "center",
    "constant", "dtype", "seed", "name", "slice", "values", "start", "step", "base", "divisor", "interleaved",
    "cosine_first", "grid", "line_first", "steps", "floor"};

typedef struct {
    const char *text[FIELDS]; /* null where the query has no such field */
    size_t name_length;
    char buffer[MAX_QUERY];
} query;

static int find_word(const char *word, size_t length, const char *const words[], int count) {
    for (int i = 0; i < count; i++)
        if (strlen(words[i]) == length && !memcmp(words[i], word, length)) return i;
    return -1;
}

static int hex_digit(char c) {
    const char *digits = "0123456789abcdef", *at = strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);
    if (!c || !at) refuse("a percent sign needs two hexadecimal digits");
    return (int)(at - digits);
}

static void parse_query(const char *text, query *parsed) {
    char *out = parsed->buffer;
    memset(parsed->text, 0, sizeof parsed->text);
    if (strlen(text) >= MAX_QUERY) refuse("the query is too long");
    for (const char *stop; *text; text = *stop ? stop + 1 : stop) {
        const char *equals = strchr(text, '=');
        stop = text + strcspn(text, "&");
        int field = equals && equals < stop ? find_word(text, (size_t)(equals - text), fields, FIELDS) : -1;
        if (field < 0) refuse("unknown field");
        if (parsed->text[field]) refuse("a field is given twice");
        parsed->text[field] = out;
        for (const char *c = equals + 1; c < stop; c++) {
            if (*c == '%') *out++ = (char)(hex_digit(c[1]) << 4 | hex_digit(c[2])), c += 2;
            else *out++ = *c == '+' ? ' ' : *c;
        }
        if (field == NAME) parsed->name_length = (size_t)(out - parsed->text[NAME]);
        *out++ = 0;
    }
    if (!parsed->text[NAME]) parsed->text[NAME] = "", parsed->name_length = 0;
    if (parsed->name_length > MAX_NAME) refuse("name is longer than 1024 bytes");
}

static uint64_t parse_integer(const char **text, uint64_t most) {
    uint64_t value = 0;
    if (**text < '0' || **text > '9') refuse("an integer is expected");
    for (; **text >= '0' && **text <= '9'; ++*text) {
        uint64_t digit = (uint64_t)(**text - '0');
        if (value > most / 10 || (value == most / 10 && digit > most % 10)) refuse("an integer is too large");
        value = value * 10 + digit;
    }
    return value;
}

static uint64_t parse_length(const char *text, uint64_t otherwise) {
    if (!text) return otherwise;
    uint64_t value = parse_integer(&text, INT64_MAX);
    if (*text || !value) refuse("a positive integer is expected");
    return value;
}

/* Read at most `most` numbers separated by commas. Return how many there are. */
static int parse_numbers(const char *text, double *numbers, int most) {
    for (int i = 0; i < most; i++) {
        char *end;
        numbers[i] = strtod(text, &end);
        if (end == text || !(numbers[i] - numbers[i] == 0)) refuse("a finite number is expected");
        if (!*end) return i + 1;
        if (*end != ',') refuse("numbers are separated by commas");
        text = end + 1;
    }
    refuse("too many numbers");
}

static double parse_number(const char *text) {
    double value;
    if (!text) refuse("a number is missing");
    parse_numbers(text, &value, 1);
    return value;
}

/* A number of the query within ± a limit, or a default. */
static double read_number(const query *q, int field, double most, double otherwise) {
    double value = q->text[field] ? parse_number(q->text[field]) : otherwise;
    if (q->text[field] && !(value >= -most && value <= most)) refuse("a number is too large");
    return value;
}

static int parse_choice(const char *text, const char *const words[], int count, int otherwise) {
    if (!text) return otherwise;
    int found = find_word(text, strlen(text), words, count);
    if (found < 0) refuse("a field has none of the values that it may have");
    return found;
}

static int is_set(const query *q, int field) { return q->text[field] != NULL; }

/* --- 2. the position ----------------------------------------------------------------------------------- */

typedef struct {
    int rank;
    char layout[MAX_AXES + 1];
    uint64_t shape[MAX_AXES], start[MAX_AXES], stop[MAX_AXES], stride[MAX_AXES];
} tensor;

static void parse_shape(const char *text, tensor *t) {
    uint64_t count = 1;
    if (!text) refuse("shape is missing");
    for (t->rank = 0;; text++) {
        if (t->rank == MAX_AXES) refuse("shape has more than 8 axes");
        uint64_t length = t->shape[t->rank++] = parse_integer(&text, INT64_MAX);
        if (!length || count > INT64_MAX / length) refuse("an axis is empty, or the tensor has 2^63 elements or more");
        count *= length;
        if (!*text) return;
        if (*text != ',') refuse("shape must be integers separated by commas");
    }
}

static void parse_layout(const char *text, tensor *t) {
    static const char *const keras[] = {"O", "IO", "WIO", "HWIO", "DHWIO"};
    static const char *const torch[] = {"O", "OI", "OIW", "OIHW", "OIDHW"};
    int is_torch = text && !strcmp(text, "torch");
    if (!text || is_torch || !strcmp(text, "keras")) {
        if (t->rank > 5) refuse("the short layouts have 1 to 5 axes");
        text = is_torch ? torch[t->rank - 1] : keras[t->rank - 1];
    }
    if (strlen(text) != (size_t)t->rank || strspn(text, "BGOIDHW") != (size_t)t->rank)
        refuse("layout needs a letter of B G O I D H W for each axis");
    strcpy(t->layout, text);
}

static void parse_slice(const char *text, tensor *t) {
    for (int axis = 0; axis < t->rank; axis++) {
        uint64_t length = t->shape[axis], *start = &t->start[axis], *stop = &t->stop[axis];
        *start = 0, *stop = length;
        if (!text) continue;
        if (*text != ':') *start = parse_integer(&text, length);
        if (*text++ != ':') refuse("slice needs start:stop for each axis");
        if (*text && *text != ',') *stop = parse_integer(&text, length);
        if (*start >= *stop) refuse("a slice is empty");
        if (*text && *text != ',') refuse("slices are separated by commas");
        text = *text ? text + 1 : NULL;
    }
    if (text) refuse("slice has more axes than shape");
}

static void compute_strides(tensor *t) {
    uint64_t step = 1;
    for (const char *letter = "WHDIOGB"; *letter; letter++) /* canonical order from its end */
        for (int axis = t->rank; axis-- > 0;)
            if (t->layout[axis] == *letter) t->stride[axis] = step, step *= t->shape[axis];
}

/* --- 5. the spread ------------------------------------------------------------------------------------- */

/* The root of a positive finite number, correctly rounded: 54 bits of it, and whether there are more. */
static double square_root(double value) {
    uint64_t root = 0, rest = 0;
    int scaled = value < power(-1022) ? 108 : 0; /* subnormals become normal */
    uint64_t bits = bits_of(scaled ? value * power(108) : value), m = (bits & ((1ull << 52) - 1)) | 1ull << 52;
    int e = (int)(bits >> 52) - 1075 - scaled; /* value = m · 2^e */
    if (e & 1) m <<= 1, e--;
    for (int i = 0; i < 54; i++) { /* of m · 2^54, two bits for each bit of the root */
        rest = rest << 2 | (i < 27 ? m >> (52 - 2 * i) & 3 : 0);
        uint64_t trial = root << 2 | 1;
        root <<= 1;
        if (rest >= trial) rest -= trial, root |= 1;
    }
    uint64_t up = root & 1 && (rest || root & 2);
    return (double)((root >> 1) + up) * power(e / 2 - 26);
}

/* A number of 640 bits, the low 416 of them behind the binary point. Negative ones are two's complements. */
enum { LIMBS = 20, FRACTION = 13 };

typedef struct {
    uint32_t limb[LIMBS];
} fixed;

static fixed from_integer(uint64_t value) {
    fixed x = {{0}};
    x.limb[FRACTION] = (uint32_t)value, x.limb[FRACTION + 1] = (uint32_t)(value >> 32);
    return x;
}

static int is_negative(fixed a) { return (int)(a.limb[LIMBS - 1] >> 31); }

static fixed add(fixed a, fixed b) {
    uint64_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        carry += (uint64_t)a.limb[i] + b.limb[i];
        a.limb[i] = (uint32_t)carry, carry >>= 32;
    }
    return a;
}

static fixed negate(fixed a) {
    uint64_t carry = 1;
    for (int i = 0; i < LIMBS; i++) carry += (uint32_t)~a.limb[i], a.limb[i] = (uint32_t)carry, carry >>= 32;
    return a;
}

static fixed subtract(fixed a, fixed b) { return add(a, negate(b)); }

/* The product, cut off behind its last bit. */
static fixed multiply(fixed a, fixed b) {
    uint32_t product[2 * LIMBS] = {0};
    fixed result;
    int negative = is_negative(a) ^ is_negative(b);
    if (is_negative(a)) a = negate(a);
    if (is_negative(b)) b = negate(b);
    for (int i = 0; i < LIMBS; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < LIMBS; j++) {
            carry += (uint64_t)a.limb[i] * b.limb[j] + product[i + j];
            product[i + j] = (uint32_t)carry, carry >>= 32;
        }
        product[i + LIMBS] = (uint32_t)carry;
    }
    memcpy(result.limb, product + FRACTION, sizeof result.limb);
    return negative ? negate(result) : result;
}

/* The quotient of a positive number, cut off behind its last bit. */
static fixed divide(fixed a, uint32_t by) {
    uint64_t rest = 0;
    for (int i = LIMBS; i-- > 0;) {
        rest = rest << 32 | a.limb[i];
        a.limb[i] = (uint32_t)(rest / by), rest %= by;
    }
    return a;
}

static int get_bit(fixed a, int place) { return place < 0 ? 0 : (int)(a.limb[place / 32] >> place % 32 & 1); }

/* A positive number, rounded once to binary64. */
static double round_fixed(fixed a) {
    int top = 32 * LIMBS - 1, rest = 0;
    uint64_t bits = 0;
    while (top >= 0 && !get_bit(a, top)) top--;
    if (top < 0) return 0;
    for (int i = 0; i < 63; i++) bits = bits << 1 | (uint64_t)get_bit(a, top - i);
    for (int place = top - 63; place >= 0; place--) rest |= get_bit(a, place);
    return (double)(bits << 1 | (uint64_t)rest) * power(top - 63 - 32 * FRACTION); /* the last bit: all below */
}

static fixed from_double(double value) {
    fixed x = {{0}};
    double size = value < 0 ? -value : value;
    uint64_t bits = bits_of(size), m = (bits & ((1ull << 52) - 1)) | 1ull << 52;
    int place = (int)(bits >> 52) - 1075 + 32 * FRACTION; /* of the last bit of m */
    for (int i = 0; i < 53 && size >= power(-400); i++)
        if (m >> i & 1 && place + i >= 0) x.limb[(place + i) / 32] |= 1u << (place + i) % 32;
    return value < 0 ? negate(x) : x;
}

/* A unit normal at an end of a cut: its density, and Φ. Beyond ±16 the tail is less than 2^-189, which is more than
 * 100 bits below the last one of a number that it is added to. */
static void measure_end(double x, fixed *density, fixed *below) {
    static const fixed root = {{0xeb142779, 0xb374e88d, 0x23f5d3ab, 0x447d3db7, 0x9df8ac55, 0x02639d2e, 0xc0471b48,
                                0x512706d8, 0xd3829f30, 0x2eae38bf, 0x3f2cf140, 0x50d94234, 0x662114cf}}; /* 1/√(2π) */
    *density = *below = from_integer(x > 0);
    if (!(x >= -16 && x <= 16)) {
        *density = from_integer(0);
        return;
    }
    fixed at = from_double(x), half_square = divide(multiply(at, at), 2);
    fixed term = from_integer(1), exponential = term, integral = term;
    const fixed nothing = from_integer(0);
    for (uint32_t k = 1; memcmp(&term, &nothing, sizeof term); k++) { /* (-x²/2)^k / k! */
        term = divide(multiply(term, half_square), k);
        fixed part = divide(term, 2 * k + 1);
        exponential = k % 2 ? subtract(exponential, term) : add(exponential, term);
        integral = k % 2 ? subtract(integral, part) : add(integral, part);
    }
    *density = multiply(exponential, root);
    *below = add(divide(from_integer(1), 2), multiply(multiply(at, integral), root));
}

typedef struct {
    double lo, up, mass, stddev;
} cut;

/* The root of V / mass², rounded once: 54 bits of it, and one for all below. */
static double divide_roots(fixed v, fixed mass) {
    fixed root = {{0}};
    for (int place = 32 * FRACTION, found = 0; place > 0 && found < 54; place--) {
        fixed trial = root;
        trial.limb[place / 32] |= 1u << place % 32;
        fixed product = multiply(trial, mass);
        int fits = !is_negative(subtract(v, multiply(product, product)));
        if (fits) root = trial;
        found += fits || found;
    }
    root.limb[0] |= 1;
    return round_fixed(root);
}

static cut measure_cut(double lower, double upper) {
    static double known[2]; /* the ends of the cut before, whose numbers c still has */
    static cut c;
    fixed density[2], below[2], mass, above, v;
    if (c.mass > 0 && known[0] == lower && known[1] == upper) return c;
    known[0] = known[1] = 0;
    measure_end(lower, &density[0], &below[0]);
    measure_end(upper, &density[1], &below[1]);
    mass = subtract(below[1], below[0]), above = subtract(from_integer(1), below[1]);
    if (!(lower < upper) || is_negative(mass) || round_fixed(mass) < power(-20)) refuse("the cut leaves too little");
    c.lo = round_fixed(below[0]) * power(32), c.up = round_fixed(above) * power(32), c.mass = round_fixed(mass);
    /* mass² · variance = mass² + (a·φ(a) - b·φ(b)) · mass - (φ(a) - φ(b))² */
    fixed drift = subtract(density[0], density[1]), moment = from_integer(0);
    if (lower >= -16) moment = multiply(from_double(lower), density[0]);
    if (upper <= 16) moment = subtract(moment, multiply(from_double(upper), density[1]));
    v = subtract(add(multiply(mass, mass), multiply(moment, mass)), multiply(drift, drift));
    c.stddev = divide_roots(v, mass);
    known[0] = lower, known[1] = upper;
    return c;
}

typedef struct {
    uint64_t inputs, outputs, field;
    int stacked, has_inputs, has_outputs, space;
} kernel;

static kernel measure_kernel(const tensor *t) {
    kernel k = {1, 1, 1, 0, 0, 0, 0};
    for (int axis = 0; axis < t->rank; axis++) {
        char letter = t->layout[axis];
        uint64_t length = t->shape[axis];
        if (letter == 'I') k.inputs *= length, k.has_inputs = 1;
        else if (letter == 'O') k.outputs *= length, k.has_outputs = 1;
        else if (letter == 'B' || letter == 'G') k.stacked++;
        else k.field *= length, k.space++;
    }
    return k;
}

static int has_kernel_axes(const kernel *k) {
    return k->stacked ? k->has_inputs || k->has_outputs : k->has_inputs && k->has_outputs;
}

typedef struct {
    fixed in, out; /* averages of whole numbers: with a stride they have a fraction */
} fans;

/* The product of axes from first up to stop. */
static uint64_t multiply_axes(const tensor *t, int first, int stop) {
    uint64_t product = 1;
    for (int axis = first; axis < stop; axis++) product *= t->shape[axis];
    return product;
}

static const char *const frameworks[] = {"keras", "torch", "jax"};

/* The fans that a framework counts. */
static fans count_as(const tensor *t, int framework) {
    int last = t->rank - 1;
    if (!last && framework == 0) return (fans){from_integer(t->shape[0]), from_integer(t->shape[0])};
    if (!last) refuse("fans_as needs an axis more");
    uint64_t field = framework == 1 ? multiply_axes(t, 2, t->rank) : multiply_axes(t, 0, last - 1);
    uint64_t in = t->shape[framework == 1 ? 1 : last - 1], out = t->shape[framework == 1 ? 0 : last];
    return (fans){from_integer(in * field), from_integer(out * field)};
}

/* The stride of each spatial axis. Return 0 if all are 1. */
static int parse_stride(const char *text, uint64_t *stride, int space) {
    int count = 0, equal = 1;
    uint64_t given[3];
    while (text) {
        if (count == 3) refuse("stride has at most three numbers");
        given[count] = parse_integer(&text, 65536);
        if (!given[count]) refuse("a stride is at least 1");
        equal &= given[count] == given[0], count++;
        if (*text && *text != ',') refuse("strides are separated by commas");
        text = *text ? text + 1 : NULL;
    }
    for (int i = 0; i < space; i++) stride[i] = !count ? 1 : equal ? given[0] : given[i < 3 ? i : 2];
    if (count > 1 && count != space) refuse("stride needs one number, or one for each axis in space");
    return count && !(equal && given[0] == 1);
}

static int parse_flag(const char *text) {
    static const char *const flags[] = {"false", "true"};
    return parse_choice(text, flags, 2, 0);
}

static fans compute_fans(const query *q, const tensor *t, const kernel *k) {
    uint64_t strides[MAX_AXES], groups = parse_length(q->text[GROUPS], 1);
    int has_stride = parse_stride(q->text[STRIDE], strides, k->space), transposed = parse_flag(q->text[TRANSPOSED]);
    if (is_set(q, FANS_AS)) {
        if (groups != 1 || has_stride || transposed || is_set(q, GIVEN_IN) || is_set(q, GIVEN_OUT))
            refuse("fans_as counts by the shape alone");
        return count_as(t, parse_choice(q->text[FANS_AS], frameworks, 3, 0));
    }
    if (!k->space && (has_stride || transposed)) refuse("stride and transposed need space");
    if (!transposed && k->outputs % groups) refuse("groups must divide the product of the O axes");
    if (transposed && k->inputs % groups) refuse("groups must divide the product of the I axes");
    if (!(is_set(q, GIVEN_IN) && is_set(q, GIVEN_OUT)) && !has_kernel_axes(k))
        refuse("the layout has no fans: set fan_in and fan_out");
    fans f = {from_integer(k->inputs / (transposed ? groups : 1) * k->field),
              from_integer(k->outputs / (transposed ? 1 : groups) * k->field)};
    fixed *divided = transposed ? &f.in : &f.out;
    for (int i = 0; i < k->space; i++) *divided = divide(*divided, (uint32_t)strides[i]);
    if (is_set(q, GIVEN_IN)) f.in = from_integer(parse_length(q->text[GIVEN_IN], 1));
    if (is_set(q, GIVEN_OUT)) f.out = from_integer(parse_length(q->text[GIVEN_OUT], 1));
    return f;
}

/* A fan, rounded once. Quotients were cut off at 2^-416: here they are rounded at 2^-288 first. */
static double round_fan(fixed fan) {
    fixed half = {{0, 0, 0, 1u << 31}};
    fan = add(fan, half);
    memset(fan.limb, 0, 4 * sizeof *fan.limb);
    return round_fixed(fan);
}

static double select_fan(const fans *f, int mode) {
    if (mode == FAN_IN) return round_fan(f->in);
    if (mode == FAN_OUT) return round_fan(f->out);
    if (mode == FAN_AVG) return round_fan(divide(add(f->in, f->out), 2));
    return square_root(round_fan(multiply(f->in, f->out)));
}

static const char *const distributions[] = {"uniform", "normal", "truncated_normal"};
static const char *const modes[] = {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"};
static const char *const dtypes[] = {"float64", "float32", "float16", "bfloat16"};

/* The value of a dtype of fewer than 64 bits, from the bits of a positive number. */
static double decode(int dtype, uint32_t bits) {
    if (dtype == FLOAT32) return from_bits32(bits);
    if (dtype == BFLOAT16) return from_bits32(bits << 16);
    uint32_t e = bits >> 10, fraction = bits & 1023;
    return e ? (fraction + 1024) * power((int)e - 25) : fraction * power(-24);
}

static const uint32_t infinity_bits[] = {0, 0x7f800000, 0x7c00, 0x7f80};

/* The largest value of a dtype strictly below a positive number. */
static double round_below(int dtype, double end) {
    if (dtype == FLOAT64) return from_bits(bits_of(end) - 1);
    uint32_t below = 0, above = infinity_bits[dtype]; /* positive numbers are in the order of their bits */
    while (above - below > 1) {
        uint32_t middle = below + (above - below) / 2;
        if (decode(dtype, middle) < end) below = middle;
        else above = middle;
    }
    return decode(dtype, below);
}

static double largest_value(int dtype) {
    return dtype == FLOAT64 ? DBL_MAX : decode(dtype, infinity_bits[dtype] - 1);
}

static double next_number(double value, int up) {
    if (value == 0) return up ? from_bits(1) : -from_bits(1);
    if (!(value - value == 0)) return value; /* infinite: nothing is beyond */
    return from_bits(bits_of(value) + ((value > 0) == up ? 1 : -1ull));
}

/* The smallest finite value of a dtype above a number. Refuses if there is none. */
static double round_above(int dtype, double value) {
    if (value >= largest_value(dtype)) refuse("the dtype has no value there");
    if (value < 0) return 0 - round_below(dtype, -value);
    if (dtype == FLOAT64) return next_number(value, 1);
    uint32_t below = 0, above = infinity_bits[dtype]; /* decode(below) <= value < decode(above) */
    while (above - below > 1) {
        uint32_t middle = below + (above - below) / 2;
        if (decode(dtype, middle) <= value) below = middle;
        else above = middle;
    }
    return decode(dtype, above);
}

/* The values of a dtype that are outermost in an interval without its upper end, and without its lower end if it is
 * open. */
static void round_interval(int dtype, double low, double high, int is_open, double ends[2]) {
    ends[0] = round_above(dtype, is_open ? low : next_number(low, 0));
    ends[1] = 0 - round_above(dtype, -high);
    if (ends[0] > ends[1]) refuse("the dtype has no value between the ends");
}

enum { GLOROT, HE, LECUN, VARIANCE_SCALING, PRESERVE, EXPLICIT, ORTHOGONAL, DELTA_ORTHOGONAL, IDENTITY, DIRAC, SPARSE,
       CONSTANT, ZEROS, ONES, SCHEMES };

#define F(field) (1ull << field)
#define FANS (F(GIVEN_IN) | F(GIVEN_OUT) | F(FANS_AS) | F(MODE) | F(GAIN) | F(DISTRIBUTION) | F(LOWER) | F(UPPER))
#define VALUES (F(STDDEV) | F(PARENT_STDDEV) | F(LIMIT) | F(LOW) | F(HIGH) | F(MEAN))
#define OPTIONS (FANS | VALUES | F(SCALE) | F(SLOPE) | F(PARAMETER) | F(SPARSITY) | F(AXIS) | F(CENTER) | F(VALUE))

static const struct {
    const char *name, *alias; /* an alias, or the name itself */
    uint64_t options;         /* the optional fields that the scheme uses */
    double scale;
    int mode, distribution;
} schemes[SCHEMES] = {
    {"glorot", "xavier", FANS, 1, FAN_AVG, UNIFORM},
    {"he", "kaiming", FANS | F(SLOPE), 2, FAN_IN, UNIFORM},
    {"lecun", "lecun", FANS, 1, FAN_IN, NORMAL},
    {"variance_scaling", "variance_scaling", FANS | F(SCALE), 1, FAN_IN, UNIFORM},
    {"preserve", "preserve", FANS | F(PARAMETER), 1, FAN_IN, NORMAL},
    {"explicit", "explicit", VALUES | F(DISTRIBUTION) | F(LOWER) | F(UPPER), 0, 0, NORMAL},
    {"orthogonal", "orthogonal", F(GAIN), 0, 0, NORMAL},
    {"delta_orthogonal", "delta_orthogonal", F(GAIN) | F(CENTER), 0, 0, NORMAL},
    {"identity", "eye", F(GAIN), 0, 0, NORMAL},
    {"dirac", "dirac", F(GAIN) | F(CENTER), 0, 0, NORMAL},
    {"sparse", "sparse", F(STDDEV) | F(SPARSITY) | F(AXIS), 0, 0, NORMAL},
    {"constant", "constant", F(VALUE), 0, 0, NORMAL},
    {"zeros", "zeros", 0, 0, 0, NORMAL},
    {"ones", "ones", 0, 0, 0, NORMAL}};

/* The scheme of a name, and the distribution that the name includes, or -1. */
static int parse_scheme(const char *text, int *distribution) {
    const char *names[SCHEMES], *aliases[SCHEMES];
    for (int i = 0; i < SCHEMES; i++) names[i] = schemes[i].name, aliases[i] = schemes[i].alias;
    size_t length = strlen(text);
    int found = find_word(text, length, names, SCHEMES);
    if (found < 0) found = find_word(text, length, aliases, SCHEMES);
    for (int d = 0; found < 0 && d < 3; d++) {
        size_t ending = strlen(distributions[d]) + 1;
        if (length <= ending || text[length - ending] != '_') continue;
        if (strcmp(text + length - ending + 1, distributions[d])) continue;
        found = find_word(text, length - ending, names, SCHEMES);
        if (found < 0) found = find_word(text, length - ending, aliases, SCHEMES);
        if (found == VARIANCE_SCALING || found > PRESERVE) found = -1;
        *distribution = d;
    }
    if (found < 0) refuse("unknown scheme");
    return found;
}

enum { SLOPED = -1, RANDOMLY_SLOPED = -2, ELU = -3, FIXED = -4 }; /* how the moments follow from a parameter */

/* Activations, the scheme that `auto` stands for, and E[φ²] and E[φ'²]. With a parameter: how they follow from it, and
 * its default. FIXED: they do, but only the default is known here. */
static const struct {
    const char *name;
    int scheme;
    double signal, gradient;
    int rule;
    double first, second;
} activations[] = {
    {"none", GLOROT, 1, 1, 0, 0, 0},
    {"linear", GLOROT, 1, 1, 0, 0, 0},
    {"identity", GLOROT, 1, 1, 0, 0, 0},
    {"tanh", GLOROT, 0.3942944903978412, 0.4644029024482682, 0, 0, 0},
    {"sigmoid", GLOROT, 0.293379035858093, 0.04483624135019437, 0, 0, 0},
    {"logistic", GLOROT, 0.293379035858093, 0.04483624135019437, 0, 0, 0},
    {"hard_sigmoid", GLOROT, 0.2776390910565126, 0.02770278344268722, 0, 0, 0},
    {"sparse_sigmoid", GLOROT, 0.3790146377404283, 0.1706723730342715, 0, 0, 0},
    {"hard_tanh", GLOROT, 0.5160585509617133, 0.6826894921370859, 0, 0, 0},
    {"softsign", GLOROT, 0.1830140212665475, 0.2276713404221825, 0, 0, 0},
    {"sin", GLOROT, 0.4323323583816937, 0.5676676416183063, 0, 0, 0},
    {"laplace", GLOROT, 0.1994417855105193, 0.3076225703314745, 0, 0, 0},
    {"softmax", GLOROT, 0, 0, 0, 0, 0},
    {"softmax2d", GLOROT, 0, 0, 0, 0, 0},
    {"softmin", GLOROT, 0, 0, 0, 0, 0},
    {"log_softmax", GLOROT, 0, 0, 0, 0, 0},
    {"gumbel_softmax", GLOROT, 0, 0, 0, 0, 0},
    {"sparsemax", GLOROT, 0, 0, 0, 0, 0},
    {"exponential", GLOROT, 7.38905609893065, 7.38905609893065, 0, 0, 0},
    {"relu", HE, 0.5, 0.5, 0, 0, 0},
    {"relu6", HE, 0.4999999980752705, 0.4999999990134124, 0, 0, 0},
    {"leaky_relu", HE, 0, 0, SLOPED, 0.01, 0},
    {"prelu", HE, 0, 0, SLOPED, 0.25, 0},
    {"rrelu", HE, 0, 0, RANDOMLY_SLOPED, 1.0 / 8, 1.0 / 3},
    {"elu", HE, 0, 0, ELU, 1, 0},
    {"celu", HE, 0.6449454174929239, 0.6681020012231706, FIXED, 0, 0},
    {"gelu", HE, 0.4252214825702987, 0.4558508656492871, 0, 0, 0},
    {"gelu_python", HE, 0.4252214825702987, 0.4558508656492871, 0, 0, 0},
    {"gelu_tanh", HE, 0.4251937110330995, 0.4558178459629506, 0, 0, 0},
    {"gelu_new", HE, 0.4251937110330995, 0.4558178459629506, 0, 0, 0},
    {"gelu_pytorch_tanh", HE, 0.4251937110330995, 0.4558178459629506, 0, 0, 0},
    {"gelu_python_tanh", HE, 0.4251937110330995, 0.4558178459629506, 0, 0, 0},
    {"gelu_fast", HE, 0.4251937110330995, 0.4558178459629506, 0, 0, 0},
    {"gelu_accurate", HE, 0.4251937110330995, 0.4558178459629506, 0, 0, 0},
    {"gelu_10", HE, 0.4252214825702987, 0.4558508656492871, 0, 0, 0},
    {"quick_gelu", HE, 0.4219528068969808, 0.4495492004791021, 0, 0, 0},
    {"silu", HE, 0.3557755198173522, 0.3794823516328293, 0, 0, 0},
    {"swish", HE, 0.3557755198173522, 0.3794823516328293, 0, 0, 0},
    {"hard_silu", HE, 0.3315673751379077, 0.3585315171786052, 0, 0, 0},
    {"hard_swish", HE, 0.3315673751379077, 0.3585315171786052, 0, 0, 0},
    {"mish", HE, 0.4523421923758828, 0.4790837583739698, 0, 0, 0},
    {"hard_mish", HE, 0.5642981915444151, 0.6566151753007762, 0, 0, 0},
    {"softplus", HE, 0.9212459088593004, 0.293379035858093, 0, 0, 0},
    {"relu_squared", HE, 1.5, 2, 0, 0, 0},
    {"relu2", HE, 1.5, 2, 0, 0, 0},
    {"xielu", HE, 1.735515135742504, 2.07033528248161, 0, 0, 0},
    {"sqrtsoftplus", HE, 0.8060591833474398, 0.08138089451400068, 0, 0, 0},
    {"squareplus", HE, 1.5, 0.2893153853559728, 0, 0, 0},
    {"sparse_plus", HE, 0.5248435053873499, 0.3790146377404283, 0, 0, 0},
    {"log_sigmoid", HE, 0.9212459088593004, 0.293379035858093, 0, 0, 0},
    {"threshold", HE, 0.5, 0.5, FIXED, 0, 0},
    {"hard_shrink", HE, 0.9691404042162732, 0.6170750774519738, FIXED, 0, 0},
    {"soft_shrink", HE, 0.41927852005066774, 0.6170750774519738, FIXED, 0, 0},
    {"tanh_shrink", HE, 0.1828834711935235, 0.2529918832439506, 0, 0, 0},
    {"glu", HE, 0.293379035858093, 0.1691076386041437, 0, 0, 0},
    {"reglu", HE, 0.5, 0.5, 0, 0, 0},
    {"geglu", HE, 0.4252214825702987, 0.4405361741097929, 0, 0, 0},
    {"swiglu", HE, 0.3557755198173522, 0.3676289357250907, 0, 0, 0},
    {"selu", LECUN, 1, 1.071574992455799, 0, 0, 0}};

static int find_activation(const char *name) {
    for (int i = 0; i < (int)(sizeof activations / sizeof *activations); i++)
        if (!strcmp(name, activations[i].name)) return i;
    refuse("unknown activation");
}

/* E[φ²] and E[φ'²] of the activation that scheme preserve names. */
static void find_moments(const query *q, double moments[2]) {
    int row = q->text[ACTIVATION] ? find_activation(q->text[ACTIVATION]) : 0, rule = activations[row].rule, count = 0;
    double given[2] = {activations[row].first, activations[row].second}, square = 0;
    if (is_set(q, PARAMETER)) {
        if (!rule) refuse("the activation has no parameter");
        if (rule == FIXED) refuse("only the default parameter of the activation is known here");
        count = parse_numbers(q->text[PARAMETER], given, rule == RANDOMLY_SLOPED ? 2 : 1);
    }
    for (int i = 0; i < count; i++)
        if (!(given[i] >= -1e6 && given[i] <= 1e6)) refuse("activation_parameter must be at most 1e6");
    moments[0] = activations[row].signal, moments[1] = activations[row].gradient;
    if (rule == ELU) {
        square = given[0] * given[0];
        moments[0] = 0.5 + square * 0.14494541749292386, moments[1] = 0.5 + square * 0.16810200122317061;
    } else if (rule == SLOPED) moments[0] = moments[1] = (1 + given[0] * given[0]) / 2;
    else if (rule == RANDOMLY_SLOPED) {
        square = (given[0] * given[0] + given[0] * given[1] + given[1] * given[1]) / 3;
        moments[0] = moments[1] = (1 + square) / 2;
    }
    if (!(moments[0] > 0)) refuse("the activation depends on all units together");
}

/* What a spec determines. Elements that are drawn one by one are round(clip(mean + factor · T)) if is_shifted, and
 * otherwise ± round(min(factor · |T|, bound)). */
typedef struct {
    int scheme, distribution, dtype, is_shifted, is_cut;
    double stddev, limit;                                         /* the spread */
    double factor, bound, mean, low, high;
    cut ends;
    double gain, constant, sparsity;
    uint64_t zeros, groups;
} plan;

static void set_spread(plan *p, double variance) {
    if (!(3 * variance <= DBL_MAX)) refuse("too large for the dtype");
    p->stddev = variance > 0 ? square_root(variance) : 0;
    p->limit = variance > 0 ? square_root(3 * variance) : 0;
}

static void set_limit(plan *p, double limit) {
    double variance = limit * limit / 3, below, above;
    if (!(3 * variance <= DBL_MAX)) refuse("too large for the dtype");
    if (!(variance > 0)) refuse("too small for the dtype");
    below = from_bits(bits_of(variance) - 1), above = from_bits(bits_of(variance) + 1);
    if (square_root(3 * variance) == limit) above = variance;
    else if (below > 0 && square_root(3 * below) == limit) above = below;
    else if (!(3 * above <= DBL_MAX) || square_root(3 * above) != limit) above = variance;
    p->stddev = square_root(above), p->limit = limit;
}

static double read_spread(const query *q, int field) {
    double value = parse_number(q->text[field]);
    if (!(value >= 1e-150 && value <= 1e150)) refuse("the spread must be 1e-150 to 1e150");
    return value;
}

/* Remove the fields that have the value of no field at all. */
static void normalize(query *q) {
    if (is_set(q, GAIN) && read_spread(q, GAIN) == 1) q->text[GAIN] = NULL;
    if (is_set(q, MEAN) && read_number(q, MEAN, 1e300, 0) == 0) q->text[MEAN] = NULL;
    if (is_set(q, CENTER) && !strcmp(q->text[CENTER], "same")) q->text[CENTER] = NULL;
    if (is_set(q, AXIS) && !strcmp(q->text[AXIS], "I")) q->text[AXIS] = NULL;
    if (is_set(q, CENTER) && strcmp(q->text[CENTER], "torch")) refuse("center is same or torch");
    if (is_set(q, AXIS) && strcmp(q->text[AXIS], "O")) refuse("sparsity_axis is I or O");
    double lower = read_number(q, LOWER, 1e300, 0), upper = read_number(q, UPPER, 1e300, 0);
    if (lower == -2 && upper == 2) q->text[LOWER] = q->text[UPPER] = NULL;
}

static void resolve_scheme(const query *q, plan *p) {
    const char *name = q->text[SCHEME];
    int given = parse_choice(q->text[DISTRIBUTION], distributions, 3, -1), carried = -1;
    int activation = find_activation(q->text[ACTIVATION] ? q->text[ACTIVATION] : "none");
    int spreads = is_set(q, STDDEV) + is_set(q, PARENT_STDDEV) + is_set(q, LIMIT);
    if (name && strcmp(name, "auto")) p->scheme = parse_scheme(name, &carried);
    else if (spreads || is_set(q, LOW)) p->scheme = EXPLICIT;
    else p->scheme = is_set(q, VALUE) ? CONSTANT : activations[activation].scheme;
    if (spreads && !(schemes[p->scheme].options & F(STDDEV))) refuse("a spread field excludes other schemes");
    for (int field = 0; field < FIELDS; field++)
        if (is_set(q, field) && OPTIONS & ~schemes[p->scheme].options & F(field))
            refuse("the scheme does not use a field that is set");
    if (given >= 0 && carried >= 0 && given != carried && !(given == TRUNCATED_NORMAL && carried == NORMAL))
        refuse("distribution contradicts the scheme's name");
    p->distribution = given >= 0 ? given : carried >= 0 ? carried : schemes[p->scheme].distribution;
    if (p->scheme == EXPLICIT && given < 0)
        p->distribution = is_set(q, STDDEV) ? NORMAL : is_set(q, PARENT_STDDEV) ? TRUNCATED_NORMAL : UNIFORM;
    if ((is_set(q, LOWER) || is_set(q, UPPER)) && (p->distribution != TRUNCATED_NORMAL || is_set(q, LOW)))
        refuse("lower and upper cut a truncated_normal without low and high");
}

static void check_explicit(const query *q, int distribution) {
    int spreads = is_set(q, STDDEV) + is_set(q, PARENT_STDDEV) + is_set(q, LIMIT);
    if (spreads > 1 || (!spreads && !is_set(q, LOW))) refuse("explicit needs one spread field, or low and high");
    if (is_set(q, LOW) != is_set(q, HIGH)) refuse("low and high go together");
    if (is_set(q, LIMIT) && distribution != UNIFORM) refuse("limit is uniform");
    if (is_set(q, PARENT_STDDEV) && distribution != TRUNCATED_NORMAL) refuse("parent_stddev is truncated_normal");
    if (!is_set(q, LOW)) return;
    if (distribution == NORMAL) refuse("low and high are uniform or truncated_normal");
    if (distribution == UNIFORM && (spreads || is_set(q, MEAN))) refuse("low and high determine the values");
    if (distribution == TRUNCATED_NORMAL && !is_set(q, PARENT_STDDEV)) refuse("low and high cut a parent_stddev");
}

/* The variance of a scheme with a fan. */
static double scale_fan(const query *q, const plan *p, const fans *f) {
    int mode = parse_choice(q->text[MODE], modes, 4, schemes[p->scheme].mode);
    double scale = schemes[p->scheme].scale, moments[2];
    if (is_set(q, SCALE) && !((scale = parse_number(q->text[SCALE])) > 0)) refuse("scale must be positive");
    if (is_set(q, SLOPE)) {
        double slope = parse_number(q->text[SLOPE]);
        scale = 2 / (1 + slope * slope);
    }
    double squared = p->gain * p->gain * scale;
    if (p->scheme != PRESERVE) return squared / select_fan(f, mode);
    find_moments(q, moments);
    double in = select_fan(f, FAN_IN) * moments[0], out = select_fan(f, FAN_OUT) * moments[1];
    if (mode == FAN_AVG) return squared / ((in + out) / 2);
    return squared / (mode == FAN_IN ? in : mode == FAN_OUT ? out : square_root(in * out));
}

/* The mean square of the elements of a matrix of a given structure, without the gain. */
static double measure_structure(const query *q, const tensor *t, const kernel *k, plan *p) {
    uint64_t longer = k->outputs, inputs = k->inputs;
    if (t->rank < 2 || !has_kernel_axes(k)) refuse("the scheme needs a kernel");
    if (p->scheme == SPARSE) {
        uint64_t size = is_set(q, AXIS) ? k->outputs : k->inputs * k->field;
        double zeros = p->sparsity * (double)size;
        p->zeros = (uint64_t)zeros + (zeros > (double)(uint64_t)zeros);
        if (p->zeros >= size) refuse("sparsity leaves nothing");
        return (double)(size - p->zeros) / (double)size;
    }
    if (p->scheme != DIRAC && p->groups != 1) refuse("the scheme has no groups");
    if (p->scheme == IDENTITY && k->space) refuse("identity has no space");
    if ((p->scheme == DIRAC || p->scheme == DELTA_ORTHOGONAL) && !k->space) refuse("the scheme needs space");
    if (p->scheme == DELTA_ORTHOGONAL && k->inputs > k->outputs) refuse("delta_orthogonal has more inputs than outputs");
    if (p->scheme == DELTA_ORTHOGONAL) return 1 / (double)(k->outputs * k->field);
    if (p->scheme == DIRAC) {
        if (parse_flag(q->text[TRANSPOSED])) refuse("dirac is not for transposed convolutions");
        longer /= p->groups;
    }
    if (p->scheme == ORTHOGONAL) inputs *= k->field;
    longer = longer > inputs ? longer : inputs;
    return 1 / (double)(p->scheme == DIRAC ? longer * k->field : longer);
}

/* Set the spread of scheme explicit, and where it is cut, if its normal is. */
static void measure_explicit(const query *q, plan *p, double ends[2], double *parent) {
    double low = read_number(q, LOW, 1e300, 0), high = read_number(q, HIGH, 1e300, 0);
    check_explicit(q, p->distribution);
    if (is_set(q, LOW) && !(low < high)) refuse("low must be less than high");
    if (p->distribution == UNIFORM && is_set(q, LOW)) set_limit(p, (high - low) / 2), p->mean = (low + high) / 2;
    else if (is_set(q, LIMIT)) set_limit(p, read_spread(q, LIMIT));
    else if (is_set(q, STDDEV)) {
        double stddev = read_spread(q, STDDEV);
        set_spread(p, stddev * stddev);
    } else {
        *parent = read_spread(q, PARENT_STDDEV);
        if (is_set(q, LOW)) ends[0] = (low - p->mean) / *parent, ends[1] = (high - p->mean) / *parent;
        double stddev = measure_cut(ends[0], ends[1]).stddev * *parent;
        set_spread(p, stddev * stddev);
    }
}

/* Refuse weights that the dtype cannot represent. */
static void check_range(const query *q, const plan *p) {
    const double peaks[] = {square_root(3), 6.4, 2 / TRUNCATED_STDDEV};
    double largest = p->stddev * peaks[p->distribution], smallest = p->dtype == FLOAT64 ? from_bits(1) : decode(p->dtype, 1);
    if (is_set(q, LOWER) || is_set(q, UPPER) || (is_set(q, LOW) && p->distribution == TRUNCATED_NORMAL))
        largest = p->stddev * 6.4;
    if (p->scheme == SPARSE) largest = p->factor * 6.4;
    largest += p->mean < 0 ? -p->mean : p->mean;
    if (p->scheme >= ORTHOGONAL && p->scheme <= DIRAC) largest = p->gain;
    if (p->scheme >= CONSTANT) largest = p->constant < 0 ? -p->constant : p->constant;
    if (!(largest < largest_value(p->dtype))) refuse("too large for the dtype");
    if (p->scheme != IDENTITY && p->scheme != DIRAC && p->scheme < CONSTANT && p->stddev < smallest)
        refuse("too small for the dtype");
}

/* Set factor and bound, or the numbers of a shifted distribution. */
static void place_values(const query *q, plan *p, const double ends[2], double parent) {
    double from = p->mean - p->limit, to = p->mean + p->limit, largest = largest_value(p->dtype);
    p->is_cut = p->distribution == TRUNCATED_NORMAL && (ends[0] != -2 || ends[1] != 2);
    p->is_shifted = p->mean != 0 || p->is_cut || is_set(q, LOW);
    p->factor = p->distribution == UNIFORM ? p->limit : p->stddev;
    p->bound = p->distribution == NORMAL ? largest : p->limit;
    if (p->distribution == TRUNCATED_NORMAL) {
        p->ends = measure_cut(ends[0], ends[1]);
        if (!is_set(q, PARENT_STDDEV)) parent = p->stddev / p->ends.stddev;
        from = p->mean + ends[0] * parent, to = p->mean + ends[1] * parent;
        if (p->is_cut) p->factor = parent;
        p->bound = 2 / TRUNCATED_STDDEV * p->stddev;
    }
    if (is_set(q, LOW)) from = parse_number(q->text[LOW]), to = parse_number(q->text[HIGH]);
    double held[2] = {-largest, largest};
    if (p->distribution != NORMAL) {
        round_interval(p->dtype, from, to, !is_set(q, LOW), held);
        p->bound = round_below(p->dtype, p->bound);
    }
    p->low = held[0], p->high = held[1];
}

static plan resolve(query *q, const tensor *t) {
    plan p = {.dtype = parse_choice(q->text[DTYPE], dtypes, 4, FLOAT32), .groups = parse_length(q->text[GROUPS], 1)};
    const kernel k = measure_kernel(t);
    double ends[2], parent = 0;
    fans f = {{{0}}, {{0}}};
    normalize(q);
    resolve_scheme(q, &p);
    p.gain = is_set(q, GAIN) ? read_spread(q, GAIN) : 1;
    p.mean = read_number(q, MEAN, 1e300, 0);
    ends[0] = read_number(q, LOWER, 1e300, -2), ends[1] = read_number(q, UPPER, 1e300, 2);
    if (p.scheme <= PRESERVE || has_kernel_axes(&k)) f = compute_fans(q, t, &k);
    if (p.scheme == EXPLICIT) measure_explicit(q, &p, ends, &parent);
    else if (p.scheme <= PRESERVE) set_spread(&p, scale_fan(q, &p, &f));
    else if (p.scheme == SPARSE) {
        p.sparsity = parse_number(q->text[SPARSITY]);
        if (!(p.sparsity >= 0 && p.sparsity < 1)) refuse("sparsity must be at least 0 and less than 1");
        p.factor = read_spread(q, STDDEV), p.bound = largest_value(p.dtype);
        set_spread(&p, measure_structure(q, t, &k, &p) * (p.factor * p.factor));
    } else if (p.scheme < CONSTANT) set_spread(&p, p.gain * p.gain * measure_structure(q, t, &k, &p));
    else if (p.scheme == CONSTANT && !is_set(q, VALUE)) refuse("constant is missing");
    else p.constant = p.scheme == CONSTANT ? read_number(q, VALUE, 1e300, 0) : p.scheme == ONES;
    check_range(q, &p);
    if (p.scheme <= EXPLICIT) place_values(q, &p, ends, parent);
    return p;
}

/* --- 1. the key ---------------------------------------------------------------------------------------- */

static void derive_key(const char domain[17], uint64_t seed, const void *name, size_t length, uint32_t key[4]) {
    uint8_t numbers[12], digest[32];
    sha256 hash;
    put_le(numbers, 1, 4);
    put_le(numbers + 4, seed, 8);
    sha256_start(&hash);
    sha256_add(&hash, domain, 17);
    sha256_add(&hash, numbers, 12);
    sha256_add(&hash, name, length);
    sha256_end(&hash, digest);
    for (int i = 0; i < 4; i++) key[i] = (uint32_t)get_le(digest + 4 * i, 4);
}

static void read_key(const query *q, const char domain[17], uint32_t key[4]) {
    const char *seed = q->text[SEED];
    if (!seed) refuse("seed is missing");
    derive_key(domain, parse_integer(&seed, UINT64_MAX), q->text[NAME], q->name_length, key);
    if (*seed) refuse("seed must be an integer from 0 to 2^64 - 1");
}

/* --- 3. the word --------------------------------------------------------------------------------------- */

static uint32_t draw_word(const uint32_t key[4], uint64_t n) {
    uint64_t tile = n >> 12, block = tile * 1024 + (n & 1023);
    uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), key[2], key[3]}, k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = 0xD2511F53ull * c[0], p1 = 0xCD9E8D57ull * c[2];
        uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1,
                            (uint32_t)(p0 >> 32) ^ c[3] ^ k1, (uint32_t)p0};
        memcpy(c, next, sizeof c);
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    return c[n >> 10 & 3];
}

/* --- 4. the transform: |T|, and the sign separately ---------------------------------------------------- */

static double look_up(int distribution, double x) {
    const double *a = table[distribution - 1][(bits_of(x) >> 47) - (1022 << 5)];
    return a[0] + x * (a[1] + x * (a[2] + x * a[3]));
}

static double transform(int distribution, uint32_t word, int *negative) {
    if (distribution == UNIFORM) {
        double t = (double)(2 * (int64_t)word + 1 - ((int64_t)1 << 32)) / 4294967296.0;
        *negative = t < 0;
        return t < 0 ? -t : t;
    }
    *negative = (int)(word >> 31);
    return look_up(distribution, (double)(word & 0x7fffffff) + 0.5);
}

/* --- 6. rounding --------------------------------------------------------------------------------------- */

/* Drop the low bits of a number, rounded to nearest, ties to even. */
static uint32_t drop_bits(uint32_t bits, int count) {
    return (bits + ((1u << (count - 1)) - 1) + (bits >> count & 1)) >> count;
}

static uint32_t round_float16(uint32_t single) {
    uint32_t e = single >> 23, fraction = single & 0x7fffff;
    if (e > 112) return drop_bits((e - 112) << 23 | fraction, 13); /* a carry moves into the exponent */
    return e < 101 ? 0 : drop_bits(fraction | 0x800000, 126 - (int)e); /* units of 2^-24; 0 below 2^-26 */
}

static void encode(int dtype, double magnitude, int negative, uint8_t *out) {
    float single = (float)magnitude;
    uint32_t bits32;
    memcpy(&bits32, &single, 4);
    uint64_t bits = dtype == FLOAT64   ? bits_of(magnitude)
                    : dtype == FLOAT32 ? bits32
                    : dtype == FLOAT16 ? round_float16(bits32)
                                       : drop_bits(bits32, 16);
    put_le(out, bits | (uint64_t)negative << (8 * sizes[dtype] - 1), sizes[dtype]);
}

/* --- 9. orthogonal matrices ----------------------------------------------------------------------------- */

enum { SIDE = 32 };

typedef struct {
    uint64_t outputs, inputs, taps, center, held; /* held: the number of the matrix in values */
    double gain, *values;
} orthogonal;

static double draw_normal(const uint32_t key[4], uint64_t n) {
    int negative;
    double magnitude = transform(NORMAL, draw_word(key, n), &negative);
    return negative ? -magnitude : magnitude;
}

static double *reserve(uint64_t count) {
    double *memory = count > SIZE_MAX / sizeof *memory ? NULL : calloc((size_t)count, sizeof *memory);
    if (!memory) refuse("the matrix is too large");
    return memory;
}

/* Turn a column of draws into a reflector from row k on. Return its sign, and set its tau. */
static double make_reflector(double *v, uint64_t k, uint64_t rows, double *tau) {
    double x = v[k], size = x < 0 ? -x : x, square = 0;
    for (uint64_t r = 0; r < k; r++) v[r] = 0;
    *tau = 0;
    if (k == rows - 1) return x < 0 ? -1 : 1;
    for (uint64_t r = k; r < rows; r++) square += v[r] * v[r];
    double norm = square_root(square);
    v[k] = x < 0 ? x - norm : x + norm;
    *tau = 1 / (norm * (norm + size));
    return x < 0 ? 1 : -1;
}

static double multiply_columns(const double *a, const double *b, uint64_t first, uint64_t rows) {
    double sum = 0;
    for (uint64_t r = first; r < rows; r++) sum += a[r] * b[r];
    return sum;
}

/* Apply a block of reflectors to a column. */
static void reflect(const double *v, const double *tau, uint64_t first, uint64_t count, uint64_t rows, double *c) {
    double w[SIDE];
    for (uint64_t i = count; i-- > 0;) {
        w[i] = multiply_columns(v + (first + i) * rows, c, first, rows);
        for (uint64_t l = i + 1; l < count; l++)
            w[i] -= multiply_columns(v + (first + i) * rows, v + (first + l) * rows, first, rows) * w[l];
        w[i] *= tau[first + i];
    }
    for (uint64_t i = 0; i < count; i++)
        for (uint64_t r = first; r < rows; r++) c[r] -= v[(first + i) * rows + r] * w[i];
}

static void make_matrix(orthogonal *o, const uint32_t key[4], uint64_t number) {
    int is_wide = o->outputs <= o->inputs;
    uint64_t size = o->outputs * o->inputs, rows = is_wide ? o->inputs : o->outputs, columns = size / rows;
    double *v = reserve(size), *c = reserve(rows), *tau = reserve(columns), *sign = reserve(columns);
    for (uint64_t k = 0; k < columns; k++) {
        for (uint64_t r = 0; r < rows; r++) {
            uint64_t element = is_wide ? k * rows + r : r * columns + k;
            v[k * rows + r] = draw_normal(key, (number * size + element) * o->taps + o->center);
        }
        sign[k] = make_reflector(v + k * rows, k, rows, tau + k);
    }
    for (uint64_t k = 0; k < columns; k++) {
        for (uint64_t r = 0; r < rows; r++) c[r] = 0;
        c[k] = sign[k];
        for (uint64_t block = k / SIDE + 1; block-- > 0;) {
            uint64_t first = block * SIDE, left = columns - first;
            reflect(v, tau, first, left < SIDE ? left : SIDE, rows, c);
        }
        for (uint64_t r = 0; r < rows; r++) o->values[is_wide ? k * rows + r : r * columns + k] = c[r];
    }
    o->held = number;
    free(v), free(c), free(tau), free(sign);
}

static double find_element(orthogonal *o, const uint32_t key[4], uint64_t n) {
    uint64_t element = n / o->taps, size = o->outputs * o->inputs;
    if (n % o->taps != o->center) return 0;
    if (!o->values) o->values = reserve(size), o->held = UINT64_MAX;
    if (o->held != element / size) make_matrix(o, key, element / size);
    return o->gain * o->values[element % size];
}

static orthogonal measure_orthogonal(const query *q, const tensor *t, const plan *p) {
    int is_delta = p->scheme == DELTA_ORTHOGONAL, is_torch = is_set(q, CENTER);
    orthogonal o = {1, 1, 1, 0, 0, p->gain, NULL};
    for (const char *letter = "OIDHW"; *letter; letter++)
        for (int axis = 0; axis < t->rank; axis++) {
            uint64_t length = t->shape[axis];
            if (t->layout[axis] != *letter) continue;
            if (*letter == 'O') o.outputs *= length;
            else if (*letter == 'I' || !is_delta) o.inputs *= length;
            else o.taps *= length, o.center = o.center * length + (is_torch ? length : length - 1) / 2;
        }
    return o;
}

/* --- the output ---------------------------------------------------------------------------------------- */

typedef struct {
    int is_raw;
    sha256 hash;
    uint8_t first[ENDS], last[ENDS];
} sink;

static void write_element(sink *to, const uint8_t *bytes, int size) {
    if (to->is_raw) {
        fwrite(bytes, 1, (size_t)size, stdout);
        return;
    }
    if (to->hash.length < ENDS) memcpy(to->first + to->hash.length, bytes, (size_t)size);
    memmove(to->last, to->last + size, (size_t)(ENDS - size));
    memcpy(to->last + ENDS - size, bytes, (size_t)size);
    sha256_add(&to->hash, bytes, (size_t)size);
}

/* Writes the bytes of the element with the given indices and position. */
typedef void element(const void *source, const uint64_t *at, uint64_t n, uint8_t *bytes);

static void write_slice(const tensor *t, int size, element compute_element, const void *source, sink *to) {
    uint64_t at[MAX_AXES];
    memcpy(at, t->start, sizeof at);
    for (;;) {
        uint64_t n = 0;
        for (int axis = 0; axis < t->rank; axis++) n += at[axis] * t->stride[axis];
        uint8_t bytes[8];
        compute_element(source, at, n, bytes);
        write_element(to, bytes, size);
        int axis = t->rank - 1; /* memory order: the last axis runs fastest */
        while (axis >= 0 && ++at[axis] == t->stop[axis]) at[axis] = t->start[axis], axis--;
        if (axis < 0) return;
    }
}

static void encode_signed(int dtype, double value, uint8_t *out) {
    int negative = (int)(bits_of(value) >> 63);
    encode(dtype, negative ? -value : value, negative, out);
}

typedef struct {
    plan p;
    uint32_t key[4], mask_key[4];
    uint64_t size, inner; /* of a unit of a sparse tensor */
    orthogonal *o;
    const tensor *t;
    int is_torch; /* the center */
} source;

static void compute_drawn(const void *from, const uint64_t *at, uint64_t n, uint8_t *bytes) {
    const source *s = from;
    int negative;
    double product = s->p.factor * transform(s->p.distribution, draw_word(s->key, n), &negative);
    (void)at;
    encode(s->p.dtype, product < s->p.bound ? product : s->p.bound, negative, bytes);
}

/* --- 7. shifted and cut distributions ------------------------------------------------------------------ */

static double transform_cut(const cut *c, uint32_t word) {
    double w = (double)word + 0.5, below = c->lo + c->mass * w, above = c->up + c->mass * (4294967296.0 - w);
    double x = below < above ? below : above, last = 2147483648.0 - power(-22);
    x = x < 0.5 ? 0.5 : x > last ? last : x;
    return below < above ? -look_up(NORMAL, x) : look_up(NORMAL, x);
}

static void compute_shifted(const void *from, const uint64_t *at, uint64_t n, uint8_t *bytes) {
    const plan *p = &((const source *)from)->p;
    uint32_t word = draw_word(((const source *)from)->key, n);
    int negative = 0;
    double size = p->is_cut ? transform_cut(&p->ends, word) : transform(p->distribution, word, &negative);
    double value = p->mean + p->factor * (negative ? -size : size);
    (void)at;
    value = value < p->low ? p->low : value;
    encode_signed(p->dtype, value > p->high ? p->high : value, bytes);
}

/* --- 8. sparse tensors --------------------------------------------------------------------------------- */

static void compute_sparse(const void *from, const uint64_t *at, uint64_t n, uint8_t *bytes) {
    const source *s = from;
    uint64_t span = s->size * s->inner, first = n / span * span + n % s->inner, before = 0;
    uint32_t word = draw_word(s->mask_key, n);
    for (uint64_t j = 0; j < s->size && before < s->p.zeros; j++) {
        uint64_t other = first + j * s->inner;
        uint32_t mask = draw_word(s->mask_key, other);
        before += mask < word || (mask == word && other < n);
    }
    if (before < s->p.zeros) put_le(bytes, 0, sizes[s->p.dtype]);
    else compute_drawn(s, at, n, bytes);
}

/* --- 9. orthogonal matrices ---------------------------------------------------------------------------- */

static void compute_matrix(const void *from, const uint64_t *at, uint64_t n, uint8_t *bytes) {
    const source *s = from;
    double value = find_element(s->o, s->key, n), largest = largest_value(s->p.dtype);
    (void)at;
    value = value < -largest ? -largest : value > largest ? largest : value;
    encode_signed(s->p.dtype, value, bytes);
}

/* --- 10. identity and Dirac tensors -------------------------------------------------------------------- */

static void compute_identity(const void *from, const uint64_t *at, uint64_t n, uint8_t *bytes) {
    const source *s = from;
    uint64_t output = 0, input = 0, outputs = 1;
    int is_center = 1;
    (void)n;
    for (int axis = 0; axis < s->t->rank; axis++) {
        uint64_t length = s->t->shape[axis];
        char letter = s->t->layout[axis];
        if (letter == 'O') output = output * length + at[axis], outputs *= length;
        else if (letter == 'I') input = input * length + at[axis];
        else if (strchr("DHW", letter)) is_center &= at[axis] == (s->is_torch ? length : length - 1) / 2;
    }
    encode_signed(s->p.dtype, is_center && output % (outputs / s->p.groups) == input ? s->p.gain : 0, bytes);
}

/* --- 11. constants ------------------------------------------------------------------------------------- */

static void compute_constant(const void *from, const uint64_t *at, uint64_t n, uint8_t *bytes) {
    const plan *p = &((const source *)from)->p;
    (void)at, (void)n;
    encode_signed(p->dtype, p->constant, bytes);
}

/* --- 12. values ----------------------------------------------------------------------------------------- */

static const double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;

static double reciprocal_factorial(int n) {
    double product = 1; /* exact up to 18! */
    for (int i = 2; i <= n; i++) product *= i;
    return 1 / product;
}

/* The largest integer that is at most x, for |x| below 2^51. */
static int64_t round_down(double x) {
    int64_t whole = (int64_t)x;
    return (double)whole > x ? whole - 1 : whole;
}

/* The power of two and the rest of an exponential: exp(x) = (1 + rest) · 2^k. */
static int64_t reduce_exp(double x, double *rest) {
    int64_t k = round_down(x * 1.4426950408889634 + 0.5);
    double r = (x - (double)k * LN2_HIGH) - (double)k * LN2_LOW, value = reciprocal_factorial(13);
    for (int n = 12; n >= 1; n--) value = reciprocal_factorial(n) + r * value;
    *rest = r * value;
    return k;
}

static double compute_exp(double x) {
    double rest;
    int64_t k = reduce_exp(x, &rest);
    return (1 + rest) * power((int)k);
}

static double compute_expm1(double x) {
    double rest;
    int64_t k = reduce_exp(x, &rest);
    return k ? (1 + rest) * power((int)k) - 1 : rest;
}

static double compute_log(double x) {
    uint64_t bits = bits_of(x);
    int64_t k = (int64_t)(bits >> 52) - 1022;
    double m = from_bits((bits & ((1ull << 52) - 1)) | 1022ull << 52); /* from 1/2 to 1 */
    if (m < 0.7071067811865476) m = m + m, k--;
    double f = m - 1, s = f / (2 + f), z = s * s, value = 1.0 / 23;
    for (int n = 10; n >= 0; n--) value = 1.0 / (2 * n + 1) + z * value;
    return (double)k * LN2_HIGH + ((double)k * LN2_LOW + 2 * (s * value));
}

static void compute_sincos(double x, double *sine, double *cosine) {
    int64_t k = round_down(x * 0.6366197723675814 + 0.5);
    double turns = (double)k, r = x - turns * 1.57079632673412561417e+00;
    r = (r - turns * 6.07710050630396597660e-11) - turns * 2.02226624879595063154e-21;
    double z = r * r, s = reciprocal_factorial(17), c = reciprocal_factorial(16);
    for (int n = 7; n >= 0; n--) {
        s = (n % 2 ? -1 : 1) * reciprocal_factorial(2 * n + 1) + z * s;
        c = (n % 2 ? -1 : 1) * reciprocal_factorial(2 * n) + z * c;
    }
    s = r * s;
    *sine = k & 1 ? (k & 2 ? -c : c) : (k & 2 ? -s : s);
    *cosine = k & 1 ? (k & 2 ? s : -s) : (k & 2 ? -c : c);
}

typedef struct {
    const query *q;
    const tensor *t;
    int dtype, integer_bytes;
    uint32_t key[4];
} values;

static int has(const values *v, int field, const char *word) {
    return v->q->text[field] && !strcmp(v->q->text[field], word);
}

static double compute_sinusoidal(const values *v, uint64_t row, uint64_t column) {
    uint64_t channels = v->t->shape[v->t->rank - 1];
    double base = compute_log(parse_number(v->q->text[BASE])), sine, cosine;
    if (v->q->text[GRID]) {
        double sides[2];
        if (parse_numbers(v->q->text[GRID], sides, 2) != 2) refuse("grid has two numbers");
        uint64_t width = (uint64_t)sides[1];
        channels /= 2;
        row = (column < channels) == has(v, LINE_FIRST, "True") ? row / width : row % width;
        column %= channels;
    }
    uint64_t half = channels / 2, is_interleaved = (uint64_t)has(v, INTERLEAVED, "True");
    uint64_t j = is_interleaved ? column / 2 : column % half;
    int is_second = is_interleaved ? (int)(column % 2) : column >= half;
    double divisor = (double)(half - (uint64_t)has(v, DIVISOR, "last")), angle;
    if (has(v, STEPS, "float32")) {
        double exponent = (float)((double)(float)(base / divisor) * (double)j);
        angle = (float)((double)row * (double)(float)compute_exp(-exponent));
    } else
        angle = (double)row * compute_exp(-((double)j * base / divisor));
    compute_sincos(angle, &sine, &cosine);
    return is_second == has(v, COSINE_FIRST, "True") ? sine : cosine;
}

static double compute_inverse_softplus(const values *v, uint64_t n) {
    double low = compute_log(parse_number(v->q->text[LOW])), high = compute_log(parse_number(v->q->text[HIGH]));
    double uniform = ((double)draw_word(v->key, n) + 0.5) / 4294967296.0, floor = parse_number(v->q->text[FLOOR]);
    double dt = compute_exp(uniform * (high - low) + low);
    dt = dt < floor ? floor : dt;
    return dt + compute_log(-compute_expm1(-dt));
}

static void compute_values(const void *source, const uint64_t *at, uint64_t n, uint8_t *bytes) {
    const values *v = source;
    const char *name = v->q->text[VALUES_RULE];
    uint64_t column = at[v->t->rank - 1], row = v->t->rank > 1 ? at[v->t->rank - 2] : 0;
    double value;
    if (v->integer_bytes) {
        int64_t start = (int64_t)parse_number(v->q->text[START]), step = (int64_t)parse_number(v->q->text[STEP]);
        put_le(bytes, (uint64_t)start + (uint64_t)step * column, v->integer_bytes);
        return;
    }
    if (!strcmp(name, "arange"))
        value = parse_number(v->q->text[START]) + parse_number(v->q->text[STEP]) * (double)column;
    else if (!strcmp(name, "log_arange")) value = compute_log((double)(column + 1));
    else if (!strcmp(name, "sinusoidal")) value = compute_sinusoidal(v, row, column);
    else value = compute_inverse_softplus(v, n);
    encode_signed(v->dtype, value, bytes);
}

static void write_values(const query *q, const tensor *t, sink *to) {
    static const char *const integers[] = {"int8", "int16", "int32", "int64"};
    static const char *const rules[] = {"arange", "log_arange", "sinusoidal", "softplus_inverse_log_uniform"};
    const char *dtype = q->text[DTYPE];
    int integer = dtype ? find_word(dtype, strlen(dtype), integers, 4) : -1;
    values v = {q, t, integer < 0 ? parse_choice(dtype, dtypes, 4, FLOAT32) : 0, integer < 0 ? 0 : 1 << integer, {0}};
    parse_choice(q->text[VALUES_RULE], rules, 4, 0);
    read_key(q, DOMAIN, v.key);
    write_slice(t, v.integer_bytes ? v.integer_bytes : sizes[v.dtype], compute_values, &v, to);
}

/* --- all sources --------------------------------------------------------------------------------------- */

static element *choose_source(const plan *p) {
    if (p->scheme >= CONSTANT) return compute_constant;
    if (p->scheme == IDENTITY || p->scheme == DIRAC) return compute_identity;
    if (p->scheme == SPARSE) return compute_sparse;
    if (p->scheme == ORTHOGONAL || p->scheme == DELTA_ORTHOGONAL) return compute_matrix;
    return p->is_shifted ? compute_shifted : compute_drawn;
}

static void draw(const char *text, sink *to) {
    static query q;
    tensor t = {0};
    parse_query(text, &q);
    parse_shape(q.text[SHAPE], &t);
    parse_layout(q.text[LAYOUT], &t);
    parse_slice(q.text[SLICE], &t);
    compute_strides(&t);
    if (is_set(&q, VALUES_RULE)) {
        write_values(&q, &t, to);
        return;
    }
    source s = {.p = resolve(&q, &t), .t = &t, .is_torch = is_set(&q, CENTER)};
    const kernel k = measure_kernel(&t);
    element *compute = choose_source(&s.p);
    s.size = is_set(&q, AXIS) ? k.outputs : k.inputs * k.field;
    s.inner = is_set(&q, AXIS) ? k.inputs * k.field : 1;
    if (compute != compute_constant && compute != compute_identity) {
        read_key(&q, DOMAIN, s.key);
        read_key(&q, MASK_DOMAIN, s.mask_key);
    }
    orthogonal o = measure_orthogonal(&q, &t, &s.p);
    s.o = &o;
    write_slice(&t, sizes[s.p.dtype], compute, &s, to);
    free(o.values);
}

/* Write a line of JSON. A percent-encoded query has no character that JSON would have to escape. */
static void describe(const char *text) {
    static sink to;
    uint8_t digest[32];
    char hex[65], first[2 * ENDS + 1] = "", last[2 * ENDS + 1] = "";
    sha256_start(&to.hash);
    if (setjmp(refusal)) {
        printf("{\"query\": \"%s\", \"refused\": \"%s\"}\n", text, reason);
        return;
    }
    draw(text, &to);
    uint64_t length = to.hash.length;
    size_t ends = length < ENDS ? (size_t)length : ENDS;
    sha256_end(&to.hash, digest);
    format_hex(digest, 32, hex);
    format_hex(to.first, ends, first);
    format_hex(to.last + ENDS - ends, ends, last);
    printf("{\"query\": \"%s\", \"bytes\": %llu, \"first\": \"%s\", \"last\": \"%s\", \"sha256\": \"%s\"}\n", text,
           (unsigned long long)length, first, last, hex);
}

static void read_table(const char *path) {
    static const char expected[] = "785812d3448197fb1e669d0f9ccb278a675e9d3101db54d0ea40e2cd1b0993da";
    static uint8_t bytes[TABLE_BYTES];
    uint8_t digest[32];
    char text[65];
    sha256 hash;
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, -TABLE_BYTES, SEEK_END) || fread(bytes, 1, TABLE_BYTES, file) != TABLE_BYTES)
        refuse("tables.npy cannot be read");
    fclose(file);
    sha256_start(&hash);
    sha256_add(&hash, bytes, TABLE_BYTES);
    sha256_end(&hash, digest);
    format_hex(digest, 32, text);
    if (strcmp(text, expected)) refuse("tables.npy has another SHA-256");
    for (int i = 0; i < TABLE_BYTES / 8; i++)
        table[i / 4096][i / 4 % 1024][i % 4] = from_bits(get_le(bytes + 8 * i, 8));
}

int main(int argc, char **argv) {
    static char line[MAX_QUERY + 2];
    static sink raw = {.is_raw = 1};
    if (setjmp(refusal)) {
        fprintf(stderr, "weightinit: %s\n", reason);
        return 1;
    }
    if (argc < 2 || argc > 3) refuse("usage: weightinit tables.npy [QUERY]");
    read_table(argv[1]);
    if (argc == 3) draw(argv[2], &raw);
    else
        while (fgets(line, sizeof line, stdin)) {
            line[strcspn(line, "\n")] = 0;
            describe(line);
        }
    return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
