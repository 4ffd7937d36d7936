/* The stream, version 1, written from docs/stream.md alone, without a look at the service's code.
 *
 *     cc -std=c11 -O2 -ffp-contract=off independent.c -lm -o independent
 *     ./independent tables.npy < requests > bytes
 *
 * Each line of the standard input asks for one box, ten fields apart by spaces:
 *
 *     seed  name  distribution  dtype  layout  shape  start  stop  factor  bound
 *     42 66633161 uniform float32 IO 784,300 0,0 784,300 0x1.2p-4 0x1.1p-4
 *
 * The name is the hexadecimal of its UTF-8 ("-" when empty), start and stop are half-open, factor and bound
 * are hexadecimal floats (section 5). The bytes of all boxes follow each other on the standard output. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_AXES = 8, MAX_NAME = 4096, TABLE_BYTES = 2 * 1024 * 4 * 8 };

static double table[2][1024][4];

static void fail(const char *why) {
    fprintf(stderr, "independent: %s\n", why);
    exit(1);
}

static void put_le(uint8_t *bytes, uint64_t value, int count) {
    for (int i = 0; i < count; i++) bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_le(const uint8_t *bytes, int count) {
    uint64_t value = 0;
    for (int i = count; i-- > 0;) value = value << 8 | bytes[i];
    return value;
}

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

static void sha256(const uint8_t *message, size_t length, uint8_t digest[32]) {
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint8_t last[128] = {0};
    size_t whole = length / 64 * 64, rest = length - whole, padded = rest < 56 ? 64 : 128;
    for (size_t i = 0; i < whole; i += 64) sha256_block(state, message + i);
    memcpy(last, message + whole, rest);
    last[rest] = 0x80;
    for (int i = 0; i < 8; i++) last[padded - 1 - i] = (uint8_t)((uint64_t)length * 8 >> (8 * i));
    for (size_t i = 0; i < padded; i += 64) sha256_block(state, last + i);
    for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

/* --- 1. the key ---------------------------------------------------------------------------------------- */

static void derive_key(uint64_t seed, const uint8_t *name, size_t length, uint32_t key[4]) {
    uint8_t message[17 + 4 + 8 + MAX_NAME], digest[32];
    memcpy(message, "weightinit stream", 17);
    put_le(message + 17, 1, 4);
    put_le(message + 21, seed, 8);
    memcpy(message + 29, name, length);
    sha256(message, 29 + length, digest);
    for (int i = 0; i < 4; i++) key[i] = (uint32_t)get_le(digest + 4 * i, 4);
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

/* --- 4. the transform: |T|, and the sign apart --------------------------------------------------------- */

static double transform(int distribution, uint32_t word, int *negative) {
    if (distribution == 0) {
        double t = (double)(2 * (int64_t)word + 1 - ((int64_t)1 << 32)) / 4294967296.0;
        *negative = t < 0;
        return fabs(t);
    }
    *negative = (int)(word >> 31);
    double x = (double)(word & 0x7fffffff) + 0.5;
    int exponent; /* frexp: x = fraction · 2^exponent with fraction in [1/2, 1) */
    double fraction = frexp(x, &exponent);
    int e = exponent - 1, f = (int)((2 * fraction - 1) * 32);
    const double *c = table[distribution - 1][32 * (e + 1) + f];
    return c[0] + x * (c[1] + x * (c[2] + x * c[3]));
}

/* --- 6. rounding --------------------------------------------------------------------------------------- */

/* Nearest, ties to even, with `digits` stored fraction bits and least normal exponent `least`. */
static uint64_t round_half(float value, int digits, int least) {
    if (value == 0) return 0;
    int e = ilogbf(value);
    if (e < least) e = least;
    double units = nearbyint(ldexp(value, digits - e));
    return (uint64_t)units + ((uint64_t)(e - least) << digits); /* a carry moves into the exponent by itself */
}

static int encode(const char *dtype, double magnitude, int negative, uint8_t out[8]) {
    float single = (float)magnitude;
    uint64_t bits = 0;
    uint32_t bits32;
    int size;
    if (!strcmp(dtype, "float64")) size = 8, memcpy(&bits, &magnitude, 8);
    else if (!strcmp(dtype, "float32")) size = 4, memcpy(&bits32, &single, 4), bits = bits32;
    else if (!strcmp(dtype, "float16")) size = 2, bits = round_half(single, 10, -14);
    else if (!strcmp(dtype, "bfloat16")) size = 2, bits = round_half(single, 7, -126);
    else fail("unknown dtype");
    put_le(out, bits | (uint64_t)negative << (8 * size - 1), size);
    return size;
}

/* --- 2. the position, and the walk over a box ---------------------------------------------------------- */

static int parse_axes(const char *text, uint64_t axes[MAX_AXES]) {
    int rank = 0;
    for (char *end; ; text = end + 1) {
        if (rank == MAX_AXES) fail("too many axes");
        axes[rank++] = strtoull(text, &end, 10);
        if (*end != ',') return rank;
    }
}

static void derive_strides(const char *layout, const uint64_t *shape, int rank, uint64_t *stride) {
    uint64_t step = 1;
    for (const char *letter = "WHDIOGB"; *letter; letter++) /* canonical order from its end */
        for (int axis = rank; axis-- > 0;)
            if (layout[axis] == *letter) stride[axis] = step, step *= shape[axis];
}

static void write_box(const uint32_t key[4], int distribution, const char *dtype, int rank, const uint64_t *stride,
                      const uint64_t *start, const uint64_t *stop, double factor, double bound) {
    uint64_t at[MAX_AXES];
    memcpy(at, start, sizeof at);
    for (;;) {
        uint64_t n = 0;
        for (int axis = 0; axis < rank; axis++) n += at[axis] * stride[axis];
        int negative;
        uint8_t bytes[8];
        double scaled = factor * transform(distribution, draw_word(key, n), &negative);
        int size = encode(dtype, scaled < bound ? scaled : bound, negative, bytes);
        fwrite(bytes, 1, (size_t)size, stdout);
        int axis = rank - 1; /* memory order: the last axis runs fastest */
        while (axis >= 0 && ++at[axis] == stop[axis]) at[axis] = start[axis], axis--;
        if (axis < 0) return;
    }
}

/* --- the request --------------------------------------------------------------------------------------- */

static void read_table(const char *path) {
    static const char expected[] = "785812d3448197fb1e669d0f9ccb278a675e9d3101db54d0ea40e2cd1b0993da";
    static uint8_t bytes[TABLE_BYTES];
    uint8_t digest[32];
    char text[65];
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, -TABLE_BYTES, SEEK_END) || fread(bytes, 1, TABLE_BYTES, file) != TABLE_BYTES)
        fail("no table");
    fclose(file);
    sha256(bytes, TABLE_BYTES, digest);
    for (int i = 0; i < 32; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
    if (strcmp(text, expected)) fail("another table");
    for (int i = 0; i < TABLE_BYTES / 8; i++) {
        uint64_t bits = get_le(bytes + 8 * i, 8);
        memcpy(&((double *)table)[i], &bits, 8);
    }
}

int main(int argc, char **argv) {
    static const char *const distributions[] = {"uniform", "normal", "truncated_normal"};
    char hex[2 * MAX_NAME + 1], named[32], dtype[16], layout[16], shape_text[256], start_text[256], stop_text[256];
    uint8_t name[MAX_NAME];
    unsigned long long seed;
    double factor, bound;
    if (argc != 2) fail("usage: independent tables.npy < requests");
    read_table(argv[1]);
    while (scanf("%llu %8192s %31s %15s %15s %255s %255s %255s %la %la", &seed, hex, named, dtype, layout, shape_text,
                 start_text, stop_text, &factor, &bound) == 10) {
        uint64_t shape[MAX_AXES] = {0}, start[MAX_AXES] = {0}, stop[MAX_AXES] = {0}, stride[MAX_AXES] = {0};
        uint32_t key[4];
        size_t length = strcmp(hex, "-") ? strlen(hex) / 2 : 0;
        int distribution = 0, rank = parse_axes(shape_text, shape);
        while (distribution < 3 && strcmp(named, distributions[distribution])) distribution++;
        if (distribution == 3) fail("unknown distribution");
        if (strlen(layout) != (size_t)rank || parse_axes(start_text, start) != rank || parse_axes(stop_text, stop) != rank)
            fail("another rank");
        for (size_t i = 0; i < length; i++) {
            unsigned byte;
            if (sscanf(hex + 2 * i, "%2x", &byte) != 1) fail("the name is not hexadecimal");
            name[i] = (uint8_t)byte;
        }
        derive_key(seed, name, length, key);
        derive_strides(layout, shape, rank, stride);
        write_box(key, distribution, dtype, rank, stride, start, stop, factor, bound);
    }
    return feof(stdin) && !ferror(stdout) ? 0 : 1;
}
