/* Encodes and decodes the keys of a schema, as the functions of _key_compiler.py do, in C.
 *
 * Like those, it knows the common case only. Parts of subclasses, ints beyond 8 bytes, and keys or bytes
 * that must be refused go to the checked functions of _key_parts.py, which know every case and say what is
 * wrong. The format is recorded in docs/key-format.md.
 *
 * The functions below that work on one key answer FOUND, ODD (with no exception set), or FAILED (with one).
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#define MOST_PARTS 64
#define SIGN_BIT ((uint64_t)1 << 63)
#define UUID_BYTES 16

typedef enum { FAILED = -1, ODD = 0, FOUND = 1 } Outcome;

typedef struct {
    PyTypeObject *uuid;
    PyObject *unknown_safety; /* SafeUUID.unknown */
    PyObject *name_int;
    PyObject *name_is_safe;
    PyObject *key_functions;
} State;

typedef struct {
    PyObject_HEAD
    State *state; /* lives as long as the type, which keeps its module alive */
    PyObject *checked_encode;
    PyObject *checked_encode_prefix;
    PyObject *checked_decode;
    Py_ssize_t count;
    char parts[MOST_PARTS]; /* 's'tr, 'i'nt, 'u'uid, 'b'ytes, 'f'loat */
} KeyFunctions;

/* What a key is encoded into: most keys fit into `first`. */
typedef struct {
    unsigned char *data;
    Py_ssize_t size;
    Py_ssize_t room;
    unsigned char first[512];
} Buffer;

static void
buffer_begin(Buffer *buffer)
{
    buffer->data = buffer->first;
    buffer->size = 0;
    buffer->room = sizeof(buffer->first);
}

static void
buffer_end(Buffer *buffer)
{
    if (buffer->data != buffer->first)
        PyMem_Free(buffer->data);
}

/* Where the next `more` bytes go; NULL with an exception where there is no memory for them. */
static unsigned char *
buffer_reserve(Buffer *buffer, Py_ssize_t more)
{
    if (more > buffer->room - buffer->size) {
        if (more > PY_SSIZE_T_MAX / 2 - buffer->size) {
            PyErr_NoMemory();
            return NULL;
        }
        Py_ssize_t room = (buffer->size + more) * 2;
        unsigned char *data = PyMem_Malloc(room);
        if (data == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        memcpy(data, buffer->data, buffer->size);
        buffer_end(buffer);
        buffer->data = data;
        buffer->room = room;
    }
    return buffer->data + buffer->size;
}

static void
write_uint64(unsigned char *to, uint64_t number)
{
    for (int at = 7; at >= 0; at--, number >>= 8)
        to[at] = (unsigned char)number;
}

static uint64_t
read_uint64(const unsigned char *from)
{
    uint64_t number = 0;
    for (int at = 0; at < 8; at++)
        number = number << 8 | from[at];
    return number;
}

/* What an exception that was raised for a value means: that the value is odd, or that memory ran out. */
static Outcome
odd_unless_fatal(void)
{
    if (!PyErr_ExceptionMatches(PyExc_ValueError) && !PyErr_ExceptionMatches(PyExc_OverflowError))
        return FAILED;
    PyErr_Clear();
    return ODD;
}

static Outcome
encode_raw(Buffer *buffer, const unsigned char *data, Py_ssize_t size, int last)
{
    if (last) {
        unsigned char *to = buffer_reserve(buffer, size);
        if (to == NULL)
            return FAILED;
        memcpy(to, data, size);
        buffer->size += size;
        return FOUND;
    }
    if (size > PY_SSIZE_T_MAX / 4) {
        PyErr_NoMemory();
        return FAILED;
    }
    unsigned char *to = buffer_reserve(buffer, 2 * size + 1); /* each byte may need an escape */
    if (to == NULL)
        return FAILED;
    for (Py_ssize_t at = 0; at < size; at++) {
        if (data[at] > 1) {
            *to++ = data[at];
        }
        else {
            *to++ = 1;
            *to++ = data[at] + 1;
        }
    }
    *to++ = 0;
    buffer->size = to - buffer->data;
    return FOUND;
}

static Outcome
encode_str(Buffer *buffer, PyObject *part, int last)
{
    if (!PyUnicode_CheckExact(part))
        return ODD;
    if (PyUnicode_IS_COMPACT_ASCII(part))
        return encode_raw(buffer, PyUnicode_DATA(part), PyUnicode_GET_LENGTH(part), last);
    PyObject *encoded = PyUnicode_AsUTF8String(part);
    if (encoded == NULL)
        return odd_unless_fatal(); /* a lone surrogate */
    Outcome outcome =
        encode_raw(buffer, (unsigned char *)PyBytes_AS_STRING(encoded), PyBytes_GET_SIZE(encoded), last);
    Py_DECREF(encoded);
    return outcome;
}

static Outcome
encode_uint64(Buffer *buffer, uint64_t number)
{
    unsigned char *to = buffer_reserve(buffer, 8);
    if (to == NULL)
        return FAILED;
    write_uint64(to, number);
    buffer->size += 8;
    return FOUND;
}

static Outcome
encode_int(Buffer *buffer, PyObject *part)
{
    if (!PyLong_CheckExact(part))
        return ODD;
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(part, &overflow);
    if (overflow || number == LLONG_MIN || number == LLONG_MAX)
        return ODD;
    return encode_uint64(buffer, (uint64_t)number ^ SIGN_BIT);
}

static Outcome
encode_float(Buffer *buffer, PyObject *part)
{
    if (!PyFloat_CheckExact(part))
        return ODD;
    double number = PyFloat_AS_DOUBLE(part);
    if (number != number)
        return ODD;
    if (number == 0)
        number = 0.0; /* and not -0.0 */
    uint64_t bits;
    memcpy(&bits, &number, 8);
    return encode_uint64(buffer, bits & SIGN_BIT ? ~bits : bits | SIGN_BIT);
}

static Outcome
encode_uuid(State *state, Buffer *buffer, PyObject *part)
{
    if (!Py_IS_TYPE(part, state->uuid))
        return ODD;
    unsigned char *to = buffer_reserve(buffer, UUID_BYTES);
    if (to == NULL)
        return FAILED;
    PyObject *number = PyObject_GetAttr(part, state->name_int);
    if (number == NULL)
        return FAILED;
    Outcome outcome = ODD;
    if (PyLong_CheckExact(number)) {
#if PY_VERSION_HEX >= 0x030D0000
        int flags = Py_ASNATIVEBYTES_BIG_ENDIAN | Py_ASNATIVEBYTES_UNSIGNED_BUFFER
                    | Py_ASNATIVEBYTES_REJECT_NEGATIVE;
        Py_ssize_t needed = PyLong_AsNativeBytes(number, to, UUID_BYTES, flags);
        outcome = needed < 0 ? odd_unless_fatal() : needed <= UUID_BYTES ? FOUND : ODD;
#else
        outcome = _PyLong_AsByteArray((PyLongObject *)number, to, UUID_BYTES, 0, 0) < 0
                      ? odd_unless_fatal()
                      : FOUND;
#endif
    }
    Py_DECREF(number);
    if (outcome == FOUND)
        buffer->size += UUID_BYTES;
    return outcome;
}

static Outcome
encode_part(State *state, Buffer *buffer, char type, PyObject *part, int last)
{
    switch (type) {
    case 's':
        return encode_str(buffer, part, last);
    case 'i':
        return encode_int(buffer, part);
    case 'u':
        return encode_uuid(state, buffer, part);
    case 'b':
        return PyBytes_CheckExact(part) ? encode_raw(buffer, (unsigned char *)PyBytes_AS_STRING(part),
                                                     PyBytes_GET_SIZE(part), last)
                                        : ODD;
    default:
        return encode_float(buffer, part);
    }
}

/* The bytes of the parts of a tuple, by `encode_odd` if anything is odd about them. */
static PyObject *
encode_parts(KeyFunctions *self, PyObject *key, PyObject *encode_odd)
{
    Buffer buffer;
    Outcome outcome = FOUND;
    buffer_begin(&buffer);
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(key) && outcome == FOUND; at++)
        outcome = encode_part(self->state, &buffer, self->parts[at], PyTuple_GET_ITEM(key, at),
                              at == self->count - 1);
    PyObject *encoded = NULL;
    if (outcome == FOUND)
        encoded = PyBytes_FromStringAndSize((char *)buffer.data, buffer.size);
    buffer_end(&buffer);
    return outcome == ODD ? PyObject_CallOneArg(encode_odd, key) : encoded;
}

static PyObject *
encode_key(KeyFunctions *self, PyObject *key, PyObject *encode_odd)
{
    if (!PyTuple_CheckExact(key) || PyTuple_GET_SIZE(key) != self->count)
        return PyObject_CallOneArg(encode_odd, key);
    return encode_parts(self, key, encode_odd);
}

/* The str or bytes part at the start of the data, which ends at a terminator unless it is the last. */
static Outcome
decode_raw(const unsigned char **data, const unsigned char *end, char type, int last, PyObject **part)
{
    const unsigned char *from = *data, *stop = end;
    unsigned char *unescaped = NULL;
    Py_ssize_t size = end - from;
    if (!last) {
        stop = size ? memchr(from, 0, size) : NULL;
        if (stop == NULL)
            return ODD;
        *data = stop + 1;
        size = stop - from;
        if (size && memchr(from, 1, size) != NULL) {
            unsigned char *to = unescaped = PyMem_Malloc(size);
            if (to == NULL) {
                PyErr_NoMemory();
                return FAILED;
            }
            while (from < stop) {
                unsigned char byte = *from++;
                if (byte == 1) {
                    if (from == stop || *from > 2) { /* a zero would have ended the part */
                        PyMem_Free(unescaped);
                        return ODD;
                    }
                    byte = *from++ - 1;
                }
                *to++ = byte;
            }
            from = unescaped;
            size = to - unescaped;
        }
    }
    else {
        *data = end;
    }
    *part = type == 's' ? PyUnicode_DecodeUTF8((const char *)from, size, NULL)
                        : PyBytes_FromStringAndSize((const char *)from, size);
    PyMem_Free(unescaped);
    return *part != NULL ? FOUND : odd_unless_fatal();
}

static Outcome
decode_float(uint64_t stored, PyObject **part)
{
    uint64_t bits = stored & SIGN_BIT ? stored ^ SIGN_BIT : ~stored;
    double number;
    memcpy(&number, &bits, 8);
    if (number != number || bits == SIGN_BIT) /* NaN, -0.0 */
        return ODD;
    *part = PyFloat_FromDouble(number);
    return *part != NULL ? FOUND : FAILED;
}

static Outcome
decode_uuid(State *state, const unsigned char *from, PyObject **part)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *number = PyLong_FromUnsignedNativeBytes(from, UUID_BYTES, Py_ASNATIVEBYTES_BIG_ENDIAN);
#else
    PyObject *number = _PyLong_FromByteArray(from, UUID_BYTES, 0, 0);
#endif
    if (number == NULL)
        return FAILED;
    /* UUID's own constructor converts and checks much that needs neither here, and its __setattr__
     * refuses: so its slots are filled past both, as _key_parts.decode_uuid does. */
    PyObject *made = state->uuid->tp_alloc(state->uuid, 0);
    if (made == NULL || PyObject_GenericSetAttr(made, state->name_int, number) < 0
        || PyObject_GenericSetAttr(made, state->name_is_safe, state->unknown_safety) < 0) {
        Py_DECREF(number);
        Py_XDECREF(made);
        return FAILED;
    }
    Py_DECREF(number);
    *part = made;
    return FOUND;
}

/* The part at the start of the data, which then begins behind it. */
static Outcome
decode_part(State *state, const unsigned char **data, const unsigned char *end, char type, int last,
            PyObject **part)
{
    if (type == 's' || type == 'b')
        return decode_raw(data, end, type, last, part);
    const unsigned char *from = *data;
    Py_ssize_t width = type == 'u' ? UUID_BYTES : 8;
    if (end - from < width || (last && end - from > width))
        return ODD;
    *data = from + width;
    if (type == 'u')
        return decode_uuid(state, from, part);
    uint64_t number = read_uint64(from);
    if (type == 'f')
        return decode_float(number, part);
    if (number == 0 || number == UINT64_MAX) /* markers of ints beyond 8 bytes */
        return ODD;
    *part = PyLong_FromLongLong((long long)(number ^ SIGN_BIT));
    return *part != NULL ? FOUND : FAILED;
}

/* The key of its bytes, by the checked function if anything is odd about them. */
static PyObject *
decode_key(KeyFunctions *self, PyObject *stored)
{
    if (!PyBytes_CheckExact(stored))
        return PyObject_CallOneArg(self->checked_decode, stored);
    const unsigned char *data = (unsigned char *)PyBytes_AS_STRING(stored);
    const unsigned char *end = data + PyBytes_GET_SIZE(stored);
    PyObject *key = PyTuple_New(self->count);
    if (key == NULL)
        return NULL;
    for (Py_ssize_t at = 0; at < self->count; at++) {
        PyObject *part = NULL;
        Outcome outcome =
            decode_part(self->state, &data, end, self->parts[at], at == self->count - 1, &part);
        if (outcome != FOUND) {
            Py_DECREF(key);
            return outcome == ODD ? PyObject_CallOneArg(self->checked_decode, stored) : NULL;
        }
        PyTuple_SET_ITEM(key, at, part);
    }
    return key;
}

static int
check_count(const char *name, Py_ssize_t given, Py_ssize_t most)
{
    if (given >= 1 && given <= most)
        return 1;
    PyErr_Format(PyExc_TypeError, "%s() takes 1 to %zd arguments, got %zd", name, most, given);
    return 0;
}

static PyObject *
KeyFunctions_encode(KeyFunctions *self, PyObject *const *args, Py_ssize_t count)
{
    if (!check_count("encode", count, 2))
        return NULL;
    return encode_key(self, args[0], count == 2 ? args[1] : self->checked_encode);
}

static PyObject *
KeyFunctions_encode_prefix(KeyFunctions *self, PyObject *key)
{
    if (!PyTuple_CheckExact(key) || PyTuple_GET_SIZE(key) > self->count)
        return PyObject_CallOneArg(self->checked_encode_prefix, key);
    return encode_parts(self, key, self->checked_encode_prefix);
}

static PyObject *
KeyFunctions_decode(KeyFunctions *self, PyObject *stored)
{
    return decode_key(self, stored);
}

typedef PyObject *(*OnItem)(KeyFunctions *self, PyObject *item, PyObject *encode_odd);

static PyObject *
decode_item(KeyFunctions *self, PyObject *item, PyObject *Py_UNUSED(encode_odd))
{
    return decode_key(self, item);
}

/* What the function makes of each of the items, as a list. */
static PyObject *
map_items(KeyFunctions *self, PyObject *items, OnItem on_item, PyObject *encode_odd)
{
    PyObject *sequence = PySequence_Fast(items, "expected an iterable");
    if (sequence == NULL)
        return NULL;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(sequence);
    PyObject *result = PyList_New(count);
    for (Py_ssize_t at = 0; result != NULL && at < count; at++) {
        /* Checked functions are Python, and might change what they work on. */
        if (PySequence_Fast_GET_SIZE(sequence) != count) {
            PyErr_SetString(PyExc_RuntimeError, "the list changed while it was worked on");
            Py_CLEAR(result);
            break;
        }
        PyObject *item = Py_NewRef(PySequence_Fast_GET_ITEM(sequence, at));
        PyObject *made = on_item(self, item, encode_odd);
        Py_DECREF(item);
        if (made == NULL)
            Py_CLEAR(result);
        else
            PyList_SET_ITEM(result, at, made);
    }
    Py_DECREF(sequence);
    return result;
}

static PyObject *
KeyFunctions_encode_many(KeyFunctions *self, PyObject *const *args, Py_ssize_t count)
{
    if (!check_count("encode_many", count, 2))
        return NULL;
    return map_items(self, args[0], encode_key, count == 2 ? args[1] : self->checked_encode);
}

static PyObject *
KeyFunctions_decode_many(KeyFunctions *self, PyObject *page)
{
    return map_items(self, page, decode_item, NULL);
}

static PyObject *
KeyFunctions_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(keywords))
{
    const char *parts;
    Py_ssize_t count;
    PyObject *checked_encode, *checked_encode_prefix, *checked_decode;
    if (!PyArg_ParseTuple(args, "s#OOO:KeyFunctions", &parts, &count, &checked_encode,
                          &checked_encode_prefix, &checked_decode))
        return NULL;
    if (count < 1 || count > MOST_PARTS || strspn(parts, "siubf") != (size_t)count) {
        PyErr_SetString(PyExc_ValueError, "parts are 1 to 64 of the letters s, i, u, b, f");
        return NULL;
    }
    State *state = PyType_GetModuleState(type);
    if (state == NULL)
        return NULL;
    KeyFunctions *self = (KeyFunctions *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->state = state;
    self->checked_encode = Py_NewRef(checked_encode);
    self->checked_encode_prefix = Py_NewRef(checked_encode_prefix);
    self->checked_decode = Py_NewRef(checked_decode);
    self->count = count;
    memcpy(self->parts, parts, count);
    return (PyObject *)self;
}

static int
KeyFunctions_traverse(KeyFunctions *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->checked_encode);
    Py_VISIT(self->checked_encode_prefix);
    Py_VISIT(self->checked_decode);
    return 0;
}

static int
KeyFunctions_clear(KeyFunctions *self)
{
    Py_CLEAR(self->checked_encode);
    Py_CLEAR(self->checked_encode_prefix);
    Py_CLEAR(self->checked_decode);
    return 0;
}

static void
KeyFunctions_dealloc(KeyFunctions *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    KeyFunctions_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef key_functions_methods[] = {
    {"encode", (PyCFunction)(void (*)(void))KeyFunctions_encode, METH_FASTCALL,
     "encode(key, encode_odd=checked_encode, /): the bytes of a key"},
    {"encode_many", (PyCFunction)(void (*)(void))KeyFunctions_encode_many, METH_FASTCALL,
     "encode_many(keys, encode_odd=checked_encode, /): the bytes of each key of a batch"},
    {"encode_prefix", (PyCFunction)KeyFunctions_encode_prefix, METH_O,
     "encode_prefix(key, /): what the encodings of all keys that begin with these parts begin with"},
    {"decode", (PyCFunction)KeyFunctions_decode, METH_O, "decode(data, /): the key of its bytes"},
    {"decode_many", (PyCFunction)KeyFunctions_decode_many, METH_O,
     "decode_many(page, /): the keys of a page"},
    {NULL},
};

static PyType_Slot key_functions_slots[] = {
    {Py_tp_doc, "KeyFunctions(parts, checked_encode, checked_encode_prefix, checked_decode): the functions of "
                "one schema, bound to what handles the uncommon cases of one table; `parts` has a letter for each part"},
    {Py_tp_new, KeyFunctions_new},
    {Py_tp_traverse, KeyFunctions_traverse},
    {Py_tp_clear, KeyFunctions_clear},
    {Py_tp_dealloc, KeyFunctions_dealloc},
    {Py_tp_methods, key_functions_methods},
    {0, NULL},
};

static PyType_Spec key_functions_spec = {
    .name = "kvlayer._key_accelerator.KeyFunctions",
    .basicsize = sizeof(KeyFunctions),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = key_functions_slots,
};

static int
module_exec(PyObject *module)
{
    State *state = PyModule_GetState(module);
    PyObject *uuid = PyImport_ImportModule("uuid");
    if (uuid == NULL)
        return -1;
    PyObject *type = PyObject_GetAttrString(uuid, "UUID");
    PyObject *safety = PyObject_GetAttrString(uuid, "SafeUUID");
    Py_DECREF(uuid);
    if (type != NULL && !PyType_Check(type)) {
        PyErr_SetString(PyExc_ImportError, "uuid.UUID is no class");
        Py_CLEAR(type);
    }
    state->uuid = (PyTypeObject *)type;
    state->unknown_safety = safety == NULL ? NULL : PyObject_GetAttrString(safety, "unknown");
    Py_XDECREF(safety);
    state->name_int = PyUnicode_InternFromString("int");
    state->name_is_safe = PyUnicode_InternFromString("is_safe");
    if (type == NULL || state->unknown_safety == NULL || state->name_int == NULL
        || state->name_is_safe == NULL)
        return -1;
    state->key_functions = PyType_FromModuleAndSpec(module, &key_functions_spec, NULL);
    if (state->key_functions == NULL)
        return -1;
    return PyModule_AddType(module, (PyTypeObject *)state->key_functions);
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->uuid);
    Py_VISIT(state->unknown_safety);
    Py_VISIT(state->key_functions);
    return 0;
}

static int
module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->uuid);
    Py_CLEAR(state->unknown_safety);
    Py_CLEAR(state->name_int);
    Py_CLEAR(state->name_is_safe);
    Py_CLEAR(state->key_functions);
    return 0;
}

static void
module_free(void *module)
{
    (void)module_clear((PyObject *)module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "kvlayer._key_accelerator",
    .m_doc = "The functions of _key_compiler.py, in C.",
    .m_size = sizeof(State),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__key_accelerator(void)
{
    return PyModuleDef_Init(&module_definition);
}
