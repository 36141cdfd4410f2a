/* What counts the calls of functions and methods, and what it counts a call in.
 *
 * Such a function stays the object that it is, wherever it is bound and whatever a program asks of it: what it calls is
 * exchanged (see Place). Where a function is bound that is written in Python a Wrapper is put. What is called then does
 * what `Recorder._stand_in` in recorder.py does, which takes its place where this is not built: it calls the original,
 * finds the site by the instruction that makes the call, and tells from the types, the dtypes and the addresses whether
 * the call did what the one before did. If so, it is counted here; everything else, and each call that is to be
 * inspected closely, goes to Python. No frame stands between the program and the original, and a program that traces or
 * profiles itself is told of nothing that runs here.
 *
 * All of it runs with the GIL held. Python code may run wherever an object is called, asked for an attribute, or let
 * go: no pointer into a table of entries is kept over such a place.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <frameobject.h>
#include <structmember.h>

#ifdef Py_GIL_DISABLED
#error "the tables of counts rely on the GIL"
#endif

#ifdef _MSC_VER
#define THREAD_LOCAL __declspec(thread)
#else
#define THREAD_LOCAL _Thread_local
#endif

#define AS_METHOD(function) ((PyCFunction)(void (*)(void))(function))

/* The names of attributes and methods that are asked for. */
#define NAMES(X)                                                                                                       \
    X(arrive) X(base) X(cell) X(climb) X(conversion) X(correct) X(dtype) X(flags) X(forc) X(inspect_closely)           \
    X(is_contiguous) X(is_passed_on) X(itemsize) X(keyword) X(local) X(nbytes) X(position) X(refused) X(result)        \
    X(storage_offset) X(table) X(unrecorded) X(variants)
#define DECLARE(name) static PyObject *str_##name;
NAMES(DECLARE)
static PyObject *perf_counter;

/* ---- Cell: calls of one site that took the same dtype, gave the same and did the same -------------------------- */

typedef struct {
    PyObject_HEAD
    PyObject *given, *got, *outcome, *sample;
    void *lasting_given, *lasting_got; /* the dtypes, if these are never freed: only compared */
    long long calls, bytes, next, close, inspected;
    double seconds;
} Cell;

static int
cell_init(Cell *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"given", "got", "outcome", NULL};
    PyObject *given, *got, *outcome;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO:Cell", names, &given, &got, &outcome)) {
        return -1;
    }
    Py_XSETREF(self->given, Py_NewRef(given));
    Py_XSETREF(self->got, Py_NewRef(got));
    Py_XSETREF(self->outcome, Py_NewRef(outcome));
    Py_XSETREF(self->sample, Py_NewRef(Py_None));
    self->lasting_given = PyLong_Check(given) ? PyLong_AsVoidPtr(given) : NULL;
    self->lasting_got = PyLong_Check(got) ? PyLong_AsVoidPtr(got) : NULL;
    self->next = self->close = 1;
    return PyErr_Occurred() ? -1 : 0;
}

static int
cell_traverse(Cell *self, visitproc visit, void *arg)
{
    Py_VISIT(self->given);
    Py_VISIT(self->got);
    Py_VISIT(self->outcome);
    Py_VISIT(self->sample);
    return 0;
}

static int
cell_clear(Cell *self)
{
    Py_CLEAR(self->given);
    Py_CLEAR(self->got);
    Py_CLEAR(self->outcome);
    Py_CLEAR(self->sample);
    return 0;
}

static void
cell_dealloc(Cell *self)
{
    PyObject_GC_UnTrack(self);
    cell_clear(self);
    Py_TYPE(self)->tp_free(self);
}

static PyMemberDef cell_members[] = {
    {"given", T_OBJECT_EX, offsetof(Cell, given), 0, NULL},
    {"got", T_OBJECT_EX, offsetof(Cell, got), 0, NULL},
    {"outcome", T_OBJECT_EX, offsetof(Cell, outcome), 0, NULL},
    {"sample", T_OBJECT_EX, offsetof(Cell, sample), 0, NULL},
    {"calls", T_LONGLONG, offsetof(Cell, calls), 0, NULL},
    {"bytes", T_LONGLONG, offsetof(Cell, bytes), 0, NULL},
    {"next", T_LONGLONG, offsetof(Cell, next), 0, NULL},
    {"close", T_LONGLONG, offsetof(Cell, close), 0, NULL},
    {"inspected", T_LONGLONG, offsetof(Cell, inspected), 0, NULL},
    {"seconds", T_DOUBLE, offsetof(Cell, seconds), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyTypeObject CellType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tensorbridge_cli.tracing.inside._counting.Cell",
    .tp_doc = "Calls of one site that took the same dtype, gave the same and did the same.",
    .tp_basicsize = sizeof(Cell),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)cell_init,
    .tp_traverse = (traverseproc)cell_traverse,
    .tp_clear = (inquiry)cell_clear,
    .tp_dealloc = (destructor)cell_dealloc,
    .tp_members = cell_members,
};

/* ---- Thread: what one thread counts in; Python's Table adds the sites ------------------------------------------- */

/* What is known of a call instruction, of one stand-in and one conversion that it may be. The code object is not held:
 * Table.codes holds it, and lets it go together with the entries. Without a site it is a library's instruction. */
typedef struct {
    PyObject *stand_in, *conversion, *site;
    PyCodeObject *code;
    int instruction;
    long long calls;
} Entry;

typedef struct {
    PyObject_HEAD
    PyObject *busy, *calling;
    long long frame, instruction; /* where the call of a stand-in in C is made, as id() and f_lasti tell; else 0 */
    long long allocated, moved;
    Entry *entries; /* open addressing; a slot without a stand-in is free */
    size_t slots, used;
} Thread;

static size_t
slot_of(const Entry *key, size_t slots)
{
    size_t mixed = ((size_t)key->code >> 4) * 31 + (size_t)key->instruction;

    mixed = mixed * 31 + ((size_t)key->stand_in >> 4);
    mixed = mixed * 31 + ((size_t)key->conversion >> 4);
    return (mixed ^ mixed >> 9) & (slots - 1);
}

/* Return the entry that is like the key, or the free one that it belongs into; NULL if there is none yet. */
static Entry *
find(Thread *thread, const Entry *key)
{
    if (thread->entries == NULL) {
        return NULL;
    }
    for (size_t slot = slot_of(key, thread->slots);; slot = (slot + 1) & (thread->slots - 1)) {
        Entry *entry = &thread->entries[slot];
        if (entry->stand_in == NULL
            || (entry->code == key->code && entry->instruction == key->instruction && entry->stand_in == key->stand_in
                && entry->conversion == key->conversion)) {
            return entry;
        }
    }
}

static int
grow(Thread *thread)
{
    Entry *before = thread->entries;
    size_t slots = thread->slots, more = slots ? 2 * slots : 64;
    Entry *entries = PyMem_Calloc(more, sizeof(Entry));

    if (entries == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    thread->entries = entries;
    thread->slots = more;
    for (size_t slot = 0; slot < slots; slot++) {
        if (before[slot].stand_in != NULL) {
            *find(thread, &before[slot]) = before[slot];
        }
    }
    PyMem_Free(before);
    return 0;
}

/* Add an entry, which is not there yet, with references of its own. */
static int
add(Thread *thread, const Entry *entry)
{
    if (3 * (thread->used + 1) > 2 * thread->slots && grow(thread) < 0) {
        return -1;
    }
    *find(thread, entry) = *entry;
    thread->used++;
    Py_INCREF(entry->stand_in);
    Py_INCREF(entry->conversion);
    Py_XINCREF(entry->site);
    return 0;
}

/* Drop all entries: first out of the table, then let go, since that may run code which adds new ones. */
static void
drop_entries(Thread *thread)
{
    Entry *entries = thread->entries;
    size_t slots = thread->slots;

    thread->entries = NULL;
    thread->slots = thread->used = 0;
    for (size_t slot = 0; slot < slots; slot++) {
        Py_XDECREF(entries[slot].stand_in);
        Py_XDECREF(entries[slot].conversion);
        Py_XDECREF(entries[slot].site);
    }
    PyMem_Free(entries);
}

static PyObject *
thread_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Thread *self = (Thread *)type->tp_alloc(type, 0);

    if (self != NULL) {
        self->busy = Py_NewRef(Py_None);
        self->calling = Py_NewRef(Py_None);
    }
    return (PyObject *)self;
}

static int
thread_traverse(Thread *self, visitproc visit, void *arg)
{
    Py_VISIT(self->busy);
    Py_VISIT(self->calling);
    for (size_t slot = 0; slot < self->slots; slot++) {
        Py_VISIT(self->entries[slot].stand_in);
        Py_VISIT(self->entries[slot].conversion);
        Py_VISIT(self->entries[slot].site);
    }
    return 0;
}

static int
thread_clear(Thread *self)
{
    Py_CLEAR(self->busy);
    Py_CLEAR(self->calling);
    drop_entries(self);
    return 0;
}

static void
thread_dealloc(Thread *self)
{
    PyObject_GC_UnTrack(self);
    thread_clear(self);
    Py_TYPE(self)->tp_free(self);
}

static PyObject *
thread_drop(Thread *self, PyObject *Py_UNUSED(ignored))
{
    drop_entries(self);
    Py_RETURN_NONE;
}

static PyMemberDef thread_members[] = {
    {"busy", T_OBJECT, offsetof(Thread, busy), 0, NULL},
    {"calling", T_OBJECT, offsetof(Thread, calling), 0, NULL},
    {"frame", T_LONGLONG, offsetof(Thread, frame), READONLY, NULL},
    {"instruction", T_LONGLONG, offsetof(Thread, instruction), READONLY, NULL},
    {"allocated", T_LONGLONG, offsetof(Thread, allocated), 0, NULL},
    {"moved", T_LONGLONG, offsetof(Thread, moved), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef thread_methods[] = {
    {"drop_instructions", AS_METHOD(thread_drop), METH_NOARGS, "Know no call instruction any longer."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject ThreadType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tensorbridge_cli.tracing.inside._counting.Thread",
    .tp_doc = "What one thread is at, and the call instructions that it has come to.",
    .tp_basicsize = sizeof(Thread),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_new = thread_new,
    .tp_traverse = (traverseproc)thread_traverse,
    .tp_clear = (inquiry)thread_clear,
    .tp_dealloc = (destructor)thread_dealloc,
    .tp_members = thread_members,
    .tp_methods = thread_methods,
};

/* ---- DLPack: what a tensor is, without a call of its methods ---------------------------------------------------- */

/* https://dmlc.github.io/dlpack/latest/c_api.html, version 1 */
typedef struct {
    uint8_t code, bits;
    uint16_t lanes;
} DataType;

typedef struct {
    void *data;
    struct {
        int32_t type, id;
    } device;
    int32_t ndim;
    DataType dtype;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} View;

typedef int (*Look)(void *object, View *view);

typedef struct {
    struct {
        uint32_t major, minor;
    } version;
    void *earlier;
    void *allocate, *export, *import;
    Look look; /* dltensor_from_py_object_no_sync */
    void *stream;
} Exchange;

/* Return the function that looks at tensors; NULL if torch has none of this version. */
static Look
look_of(PyObject *capsule)
{
    const char *name = "dlpack_exchange_api";
    Exchange *exchange = PyCapsule_IsValid(capsule, name) ? PyCapsule_GetPointer(capsule, name) : NULL;

    return exchange == NULL || exchange->version.major != 1 ? NULL : exchange->look;
}

/* ---- Counter: what all stand-ins of one recorder share; Python's Recorder inherits from it ---------------------- */

#define DTYPES 32

typedef struct {
    PyObject_HEAD
    char paused;
    unsigned long long serial;
    long long closely, untimed;
    PyObject *classify, *classifying;
    /* what plain calls are told by, from know() on: the libraries' types and functions, and the words for outcomes */
    PyObject *array, *memmap, *generic, *tensor, *parameter, *start, *data_ptr, *modes;
    PyObject *shared, *copied, *undecidable;
    Look look; /* NULL if torch has no such function */
    struct {
        DataType known;
        PyObject *dtype;
    } dtypes[DTYPES]; /* those that were seen, kept for good: torch's are never freed */
} Counter;

#define COUNTER_OBJECTS(X)                                                                                             \
    X(classify) X(classifying) X(array) X(memmap) X(generic) X(tensor) X(parameter) X(start) X(data_ptr) X(modes)      \
    X(shared) X(copied) X(undecidable)

static PyObject *
counter_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    static unsigned long long made = 0;
    Counter *self = (Counter *)type->tp_alloc(type, 0);

    if (self != NULL) {
        self->serial = ++made;
    }
    return (PyObject *)self;
}

static int
counter_traverse(Counter *self, visitproc visit, void *arg)
{
#define VISIT(name) Py_VISIT(self->name);
    COUNTER_OBJECTS(VISIT)
    return 0;
}

static int
counter_clear(Counter *self)
{
    self->paused = 1; /* a finaliser of what is garbage with it may still call a stand-in */
#define CLEAR(name) Py_CLEAR(self->name);
    COUNTER_OBJECTS(CLEAR)
    return 0;
}

static void
counter_dealloc(Counter *self)
{
    PyObject_GC_UnTrack(self);
    counter_clear(self);
    Py_TYPE(self)->tp_free(self);
}

/* The beginning of every ndarray, the same in all versions of NumPy 1 and 2 (PyArrayObject_fields). */
typedef struct {
    PyObject_HEAD
    char *data;
    int nd;
    Py_ssize_t *dimensions;
    Py_ssize_t *strides;
    PyObject *base;
    PyObject *descr;
} Array;

/* Return 1 if an array's fields are where they are expected, so that they say what its attributes say. */
static int
is_as_known(PyObject *object, PyObject *address)
{
    Array *array = (Array *)object;
    PyObject *base = PyObject_GetAttr(object, str_base), *dtype = PyObject_GetAttr(object, str_dtype);
    int same = base != NULL && dtype != NULL && (array->base == NULL ? Py_None : array->base) == base
               && array->descr == dtype && array->data == PyLong_AsVoidPtr(address);

    Py_XDECREF(base);
    Py_XDECREF(dtype);
    return PyErr_Occurred() ? -1 : same;
}

static PyObject *
counter_know(Counter *self, PyObject *args)
{
    PyObject *array, *memmap, *generic, *tensor, *parameter, *start, *data_ptr, *modes, *exchange, *outcomes[3];
    PyObject *samples, *sample, *address;
    Py_ssize_t at = 0;

    if (!PyArg_ParseTuple(args, "O!O!O!OOOOOO(OOO)O!:know", &PyType_Type, &array, &PyType_Type, &memmap,
                          &PyType_Type, &generic, &tensor, &parameter, &start, &data_ptr, &modes, &exchange,
                          &outcomes[0], &outcomes[1], &outcomes[2], &PyDict_Type, &samples)) {
        return NULL;
    }
    for (; PyDict_Next(samples, &at, &address, &sample);) {
        int same = Py_TYPE(sample) == (PyTypeObject *)array ? is_as_known(sample, address) : 0;
        if (same <= 0) {
            return same < 0 ? NULL : Py_NewRef(Py_False);
        }
    }
#define KEEP(name) Py_XSETREF(self->name, Py_NewRef(name));
    KEEP(array) KEEP(memmap) KEEP(generic) KEEP(tensor) KEEP(parameter) KEEP(start) KEEP(data_ptr) KEEP(modes)
    Py_XSETREF(self->shared, Py_NewRef(outcomes[0]));
    Py_XSETREF(self->copied, Py_NewRef(outcomes[1]));
    Py_XSETREF(self->undecidable, Py_NewRef(outcomes[2]));
    self->look = look_of(exchange); /* it is as old as torch, which is never unloaded */
    Py_RETURN_TRUE;
}

static PyMemberDef counter_members[] = {
    {"paused", T_BOOL, offsetof(Counter, paused), 0, NULL},
    {"classify", T_OBJECT, offsetof(Counter, classify), 0, NULL},
    {"classifying", T_OBJECT, offsetof(Counter, classifying), 0, NULL},
    {"closely", T_LONGLONG, offsetof(Counter, closely), 0, NULL},
    {"untimed", T_LONGLONG, offsetof(Counter, untimed), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef counter_methods[] = {
    {"know", AS_METHOD(counter_know), METH_VARARGS,
     "Learn what plain calls are told by; return False if the fields of the sample arrays, by address, are not known."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject CounterType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tensorbridge_cli.tracing.inside._counting.Counter",
    .tp_doc = "What all stand-ins of one recorder share.",
    .tp_basicsize = sizeof(Counter),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_new = counter_new,
    .tp_traverse = (traverseproc)counter_traverse,
    .tp_clear = (inquiry)counter_clear,
    .tp_dealloc = (destructor)counter_dealloc,
    .tp_members = counter_members,
    .tp_methods = counter_methods,
};

/* ---- what became of the memory of a plain call: classify.classifier's rules ------------------------------------- */

#define NOWHERE (1ULL << 62) /* classify.NOWHERE: an address beyond all that there are */

typedef enum { OTHER, ARRAY, MEMMAP, TENSOR, VALUE, SCALAR } Kind; /* SCALAR: of NumPy */

static Kind
kind_of(Counter *counter, PyObject *object)
{
    PyObject *type = (PyObject *)Py_TYPE(object);

    if (type == counter->array) {
        return ARRAY;
    }
    if (type == counter->tensor || type == counter->parameter) {
        return TENSOR;
    }
    if (type == (PyObject *)&PyFloat_Type || type == (PyObject *)&PyLong_Type || type == (PyObject *)&PyList_Type
        || type == (PyObject *)&PyTuple_Type) {
        return VALUE;
    }
    if (type == counter->memmap) {
        return MEMMAP;
    }
    return PyType_IsSubtype(Py_TYPE(object), (PyTypeObject *)counter->generic) ? SCALAR : OTHER;
}

/* Steal a reference to an int, which may be NULL after an error, and give its value; -1 after an error. */
static long long
as_number(PyObject *number)
{
    long long value = number == NULL ? -1 : PyLong_AsSsize_t(number); /* of an address faster than PyLong_AsLongLong */

    Py_XDECREF(number);
    return value;
}

static long long
nbytes(PyObject *object)
{
    return as_number(PyObject_GetAttr(object, str_nbytes));
}

/* What a call took, gave and did; the references to the dtypes are owned. */
typedef struct {
    PyObject *given, *got, *outcome;
    long long size;
} Facts;

/* Steal a reference to an answer, which may be NULL after an error, and tell whether it is true; 0 after an error. */
static int
as_truth(PyObject *answer)
{
    int truth = answer == NULL ? 0 : PyObject_IsTrue(answer);

    Py_XDECREF(answer);
    return truth > 0;
}

/* classify._is_in_block */
static int
is_in_block(Kind given, PyObject *source, unsigned long long offset)
{
    long long size = nbytes(source);

    if (size < 0 || offset >= (unsigned long long)size) {
        return 0;
    }
    if (given == TENSOR) {
        return as_truth(PyObject_CallMethodNoArgs(source, str_is_contiguous));
    }
    PyObject *flags = PyObject_GetAttr(source, str_flags);
    PyObject *contiguous = flags == NULL ? NULL : PyObject_GetAttr(flags, str_forc);

    Py_XDECREF(flags);
    return as_truth(contiguous);
}

/* classify._is_first_element */
static int
is_first_element(PyObject *tensor, unsigned long long offset)
{
    long long elements = as_number(PyObject_CallMethodNoArgs(tensor, str_storage_offset));
    long long width = elements <= 0 ? -1 : as_number(PyObject_GetAttr(tensor, str_itemsize));

    return width > 0 && offset == (unsigned long long)elements * (unsigned long long)width;
}

/* The facts of an array that was made of an array or of a plain value; without an outcome it is not known. */
static void
array_facts(Counter *counter, Kind given, PyObject *source, PyObject *result, Facts *facts)
{
    Array *made = (Array *)result;

    facts->given = Py_NewRef(given == ARRAY ? ((Array *)source)->descr : Py_None);
    facts->got = Py_NewRef(made->descr);
    facts->size = nbytes(result);
    if (facts->size == 0) {
        facts->outcome = counter->undecidable;
    }
    else if (given == VALUE) {
        facts->outcome = counter->copied;
    }
    else if (source == result || made->base == source) {
        facts->outcome = counter->shared;
    }
    else if (made->base == NULL) {
        facts->outcome = counter->copied;
    }
}

static unsigned long long
address(PyObject *function, PyObject *tensor)
{
    return (unsigned long long)as_number(PyObject_CallOneArg(function, tensor));
}

/* Return 1 if no mode of the user's is told of what a tensor is asked for. */
static int
is_unwatched(Counter *counter)
{
    return as_number(PyObject_CallNoArgs(counter->modes)) == 0;
}

/* Return a tensor's dtype, as a borrowed reference; NULL if it is not known from the kind that DLPack has for it. */
static PyObject *
dtype_of(Counter *counter, PyObject *tensor, DataType kind)
{
    int at = 0;

    if (kind.bits == 8 && kind.code <= 1) { /* of torch's integers of 1 to 8 bits it says the same */
        return NULL;
    }
    for (; at < DTYPES && counter->dtypes[at].dtype != NULL; at++) {
        if (memcmp(&counter->dtypes[at].known, &kind, sizeof(kind)) == 0) {
            return counter->dtypes[at].dtype;
        }
    }
    PyObject *dtype = at < DTYPES && is_unwatched(counter) ? PyObject_GetAttr(tensor, str_dtype) : NULL;
    if (dtype != NULL) {
        counter->dtypes[at].known = kind;
        counter->dtypes[at].dtype = dtype;
    }
    return dtype;
}

/* What a tensor is: its dtype, which is borrowed, its bytes, and its first address. */
typedef struct {
    PyObject *dtype;
    long long size;
    unsigned long long address;
} Seen;

/* Look at a tensor without a call of its methods; return 0 without an error if that does not show all of it. */
static int
look_at(Counter *counter, PyObject *tensor, Seen *seen)
{
    View view;

    if (counter->look == NULL || counter->look(tensor, &view) != 0) {
        PyErr_Clear();
        return 0;
    }
    seen->dtype = dtype_of(counter, tensor, view.dtype);
    seen->size = (long long)view.dtype.bits * view.dtype.lanes / 8;
    for (int axis = 0; axis < view.ndim; axis++) {
        seen->size *= view.shape[axis];
    }
    seen->address = (unsigned long long)(size_t)view.data + view.byte_offset;
    PyErr_Clear();
    return seen->dtype != NULL;
}

/* The facts of a tensor, or of an array that was made of one. */
static void
tensor_facts(Counter *counter, Kind given, PyObject *source, Kind made, PyObject *result, Facts *facts)
{
    unsigned long long low, at;
    int between = given == TENSOR && made == TENSOR;
    Seen seen;
    /* a look would copy a lazy clone: not at what a tensor was made of, nor at what an array shares nothing with */
    int looked = !between && (made == TENSOR || ((Array *)result)->base != NULL)
                 && look_at(counter, made == TENSOR ? result : source, &seen);

    if (!looked && !is_unwatched(counter)) {
        return; /* in a mode of the user's, who is not to see that somebody asks, Python takes care of that */
    }
    facts->size = looked && made == TENSOR ? seen.size : nbytes(result);
    facts->got = made == ARRAY ? Py_NewRef(((Array *)result)->descr)
                 : looked      ? Py_NewRef(seen.dtype)
                               : PyObject_GetAttr(result, str_dtype);
    if (PyErr_Occurred()) {
        return;
    }
    if (source == result) {
        low = at = (unsigned long long)facts->size;
        facts->given = Py_NewRef(facts->got);
    }
    else if (given == TENSOR) {
        facts->given = looked ? Py_NewRef(seen.dtype) : PyObject_GetAttr(source, str_dtype);
        if (between) {
            low = address(counter->start, result);
            at = address(counter->start, source);
        }
        else {
            /* an array over a lazy clone has made it copy already; without a base it has its own memory */
            low = (unsigned long long)(size_t)((Array *)result)->data;
            at = ((Array *)result)->base == NULL ? NOWHERE
                 : looked                        ? seen.address
                                                 : address(counter->data_ptr, source);
        }
    }
    else if (given == VALUE || given == SCALAR) {
        low = (unsigned long long)facts->size;
        at = NOWHERE;
        facts->given = Py_NewRef(Py_None);
    }
    else {
        /* what is made of an array is not a lazy clone: asking for its address changes nothing */
        low = looked ? seen.address : address(counter->data_ptr, result);
        at = (unsigned long long)(size_t)((Array *)source)->data;
        facts->given = Py_NewRef(((Array *)source)->descr);
    }
    if (PyErr_Occurred()) {
        return;
    }
    if (facts->size == 0 || low == 0 || at == 0) {
        facts->outcome = counter->undecidable;
    }
    else if (low == at || (low < at && at < low + (unsigned long long)facts->size)) {
        facts->outcome = counter->shared;
    }
    else if (low < at) {
        facts->outcome = counter->copied;
    }
    else if (!looked || is_unwatched(counter)) {
        int within = between ? is_first_element(source, low - at) : is_in_block(given, source, low - at);
        facts->outcome = within ? counter->shared : counter->copied;
    }
}

/* Fill in the facts of a plain call; without an outcome Python is to look. No error is left. */
static void
classify(Counter *counter, PyObject *source, PyObject *result, Facts *facts)
{
    if (counter->array == NULL) {
        return;
    }
    Kind given = kind_of(counter, source), made = kind_of(counter, result);

    if (given == OTHER || (made != ARRAY && made != TENSOR) || (given == SCALAR && made == ARRAY)) {
        return;
    }
    if (made == ARRAY && (given == ARRAY || given == VALUE)) {
        array_facts(counter, given, source, result, facts);
    }
    else if (made == TENSOR || given == TENSOR) {
        tensor_facts(counter, given, source, made, result, facts);
    }
    if (PyErr_Occurred()) { /* no strides, no storage, no address */
        PyErr_Clear();
        facts->outcome = NULL;
    }
}

/* Return the cell of a site's call before, and add the bytes, if this one did the same; NULL without an error if not. */
static Cell *
cell_as_before(Counter *counter, PyObject *site, PyObject *source, PyObject *result)
{
    Facts facts = {NULL, NULL, NULL, 0};
    Cell *found = NULL;

    classify(counter, source, result, &facts);
    if (facts.outcome != NULL) {
        PyObject *cell = PyObject_GetAttr(site, str_cell);
        if (cell != NULL && Py_IS_TYPE(cell, &CellType)) {
            Cell *before = (Cell *)cell;
            if (before->lasting_given == facts.given && before->lasting_got == facts.got
                && before->outcome == facts.outcome) {
                before->bytes += facts.size;
                found = (Cell *)Py_NewRef(cell);
            }
        }
        Py_XDECREF(cell);
    }
    Py_XDECREF(facts.given);
    Py_XDECREF(facts.got);
    return found;
}

/* ---- StandIn: what counts the calls of a function --------------------------------------------------------------- */

typedef struct StandIn {
    PyObject_HEAD
    PyObject *wrapped; /* what is called, of a Wrapper; else NULL */
    PyObject *hook, *conversion, *keyword, *variants;
    Counter *counter;
    Py_ssize_t position, made; /* of the argument that is converted, and of the one that is the result; -1 for none */
    struct Place *place;   /* NULL once it has left */
    struct StandIn *below; /* borrowed: who counted there before, and is called in turn */
} StandIn;

/* A function of the program's whose calls are counted. The object is the program's own and remains what it is; what
 * CPython reads to call it is set to what lies here: the definition that it points to, for what is called without its
 * vectorcall slot (an instruction of Python's that is specialised, a method that is bound), and that slot.
 *
 * https://docs.python.org/3/c-api/structures.html#c.PyMethodDef, https://peps.python.org/pep-0590/ */
typedef struct Place {
    PyObject *function;      /* kept for good, as the place is: a bound method, which may outlive all, reads it */
    PyObject *twin;          /* does what the function did, made of its definition; NULL of one that has none */
    PyMethodDef **points_at; /* where the function has its definition */
    PyMethodDef *before, definition;
    vectorcallfunc *slot;
    vectorcallfunc called_before;
    StandIn *stand_in; /* borrowed; NULL while nobody counts */
} Place;

/* One call that is counted. */
typedef struct {
    StandIn *stand_in;
    Place *place;
    PyObject *const *args;
    size_t nargsf;
    PyObject *kwnames;
    Thread *thread; /* NULL of a call that is not the program's */
    PyObject *site, *outer, *outer_calling;
    long long outer_frame, outer_instruction;
    long long nth;
    double seconds;
} Call;

/* The table of this thread and of which counter. It is a borrowed reference: Recorder.tables holds the table of each
 * thread as long as the recorder lives, and a serial number is never given again. In a child of a fork only the tables
 * of threads that are not there are dropped. */
static THREAD_LOCAL struct {
    unsigned long long serial;
    Thread *thread;
} here;

static Thread *
this_thread(Counter *counter)
{
    if (here.serial != counter->serial) {
        PyObject *local = PyObject_GetAttr((PyObject *)counter, str_local);
        PyObject *table = local == NULL ? NULL : PyObject_GetAttr(local, str_table);
        Py_XDECREF(local);
        if (table == NULL) {
            return NULL;
        }
        here.serial = counter->serial;
        here.thread = (Thread *)table;
        Py_DECREF(table);
    }
    return here.thread;
}

/* Forget an error of the tool's own and count it, since it is never the program's failure; return -1, and leave the
 * error, if it is none: Ctrl-C. */
static int
forget_failure(Counter *counter)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception)) {
        return -1;
    }
    PyErr_Clear();
    long long count = as_number(PyObject_GetAttr((PyObject *)counter, str_unrecorded));
    PyObject *more = PyLong_FromLongLong(count + 1);

    if (more == NULL || PyObject_SetAttr((PyObject *)counter, str_unrecorded, more) < 0) {
        PyErr_Clear();
    }
    Py_XDECREF(more);
    return 0;
}

/* Return a keyword argument of a call; NULL without an error if it is not given. */
static PyObject *
keyword_argument(const Call *call, PyObject *name)
{
    Py_ssize_t positional = PyVectorcall_NARGS(call->nargsf), count = PyTuple_GET_SIZE(call->kwnames);

    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *given = PyTuple_GET_ITEM(call->kwnames, i);
        if (given == name || PyUnicode_Compare(given, name) == 0) {
            return call->args[positional + i];
        }
    }
    return NULL;
}

/* Return the conversion that a call is: `copy=True` is one of its own (Hook.named). */
static PyObject *
conversion_of(const Call *call)
{
    StandIn *self = call->stand_in;

    if (call->kwnames != NULL) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->variants); i++) {
            PyObject *variant = PyTuple_GET_ITEM(self->variants, i);
            if (keyword_argument(call, PyTuple_GET_ITEM(variant, 0)) == PyTuple_GET_ITEM(variant, 1)) {
                return PyTuple_GET_ITEM(variant, 2);
            }
        }
    }
    return self->conversion;
}

/* Fill in the code and the instruction that makes the call. Table.codes holds the code once it has an entry. */
static void
place_of(PyFrameObject *frame, Entry *key)
{
    key->code = PyFrame_GetCode(frame);
#if PY_VERSION_HEX >= 0x030B0000
    key->instruction = PyFrame_GetLasti(frame);
#else
    key->instruction = frame->f_lasti * 2; /* bytes, as f_lasti has them in Python */
#endif
    Py_DECREF(key->code); /* the frame has it */
}

/* Return the entry of an instruction, made if the thread comes to it for the first time; NULL with an error. */
static Entry *
arrive(Counter *counter, Thread *thread, PyFrameObject *frame, Entry *key)
{
    Entry *entry = find(thread, key);

    if (entry != NULL && entry->stand_in != NULL) {
        return entry;
    }
    PyObject *arguments[] = {(PyObject *)counter, (PyObject *)frame, key->conversion};
    PyObject *site = PyObject_VectorcallMethod(str_arrive, arguments, 3, NULL);
    if (site == NULL) {
        return NULL;
    }
    key->site = Py_IsNone(site) ? NULL : site;
    entry = find(thread, key); /* what ran meanwhile may have come here, too */
    int added = entry != NULL && entry->stand_in != NULL ? 0 : add(thread, key);
    Py_DECREF(site);
    return added < 0 ? NULL : find(thread, key);
}

/* Return 1 if a call is the one being made of the same function, passed on by a mode or a subclass; -1 with an error. */
static int
is_passed_on(const Call *call, Thread *thread, PyFrameObject *frame)
{
    if (thread->calling != (PyObject *)call->stand_in) {
        return 0;
    }
    PyObject *arguments[] = {(PyObject *)call->stand_in->counter, (PyObject *)thread, (PyObject *)frame};
    PyObject *passed_on = PyObject_VectorcallMethod(str_is_passed_on, arguments, 3, NULL);
    int is_true = passed_on == NULL ? -1 : Py_IsTrue(passed_on);

    Py_XDECREF(passed_on);
    return is_true;
}

/* Note that a thread makes a call. */
static void
enter(Call *call, Thread *thread)
{
    call->thread = (Thread *)Py_NewRef((PyObject *)thread);
    call->outer_calling = thread->calling;
    thread->calling = Py_NewRef((PyObject *)call->stand_in);
}

/* Find the site of a call and make the thread busy with it; return 0 if the call is not to be counted, -1 with an
 * error that may be forgotten. */
static int
begin(Call *call)
{
    Counter *counter = call->stand_in->counter;

    if (counter->paused) {
        return 0;
    }
    Thread *thread = this_thread(counter);
    if (thread == NULL) {
        return -1;
    }
    if (thread->busy == counter->classifying || thread->busy == NULL) { /* classifying; or of a table that is garbage */
        return 0;
    }
    PyFrameObject *frame = PyEval_GetFrame();
    if (frame == NULL) { /* a program that has Python in it calls from no Python code */
        return 0;
    }
    Entry key = {.stand_in = (PyObject *)call->stand_in, .conversion = conversion_of(call)};
    place_of(frame, &key);
    if ((intptr_t)frame == thread->frame && key.instruction == thread->instruction) {
        return 0; /* the function that is being called there, which is in C, has called this one: np.asarray a __array__ */
    }
    int passed_on = is_passed_on(call, thread, frame);
    if (passed_on != 0) {
        return passed_on < 0 ? -1 : 0;
    }
    Entry *entry = arrive(counter, thread, frame, &key);
    if (entry == NULL) {
        return -1;
    }
    if (entry->site == counter->classifying) { /* what a library does with a function of its own */
        return 0;
    }
    call->nth = ++entry->calls;
    call->site = Py_XNewRef(entry->site);
    if (call->site == NULL) { /* in a library: a part of a call that is counted, or for a line of the user's */
        if (!Py_IsNone(thread->busy)) {
            enter(call, thread);
            return 0;
        }
        PyObject *arguments[] = {(PyObject *)counter, (PyObject *)thread, (PyObject *)frame, key.conversion};
        call->site = PyObject_VectorcallMethod(str_climb, arguments, 4, NULL);
        if (call->site == NULL) {
            return -1;
        }
    }
    enter(call, thread);
    call->outer = thread->busy;
    call->outer_frame = thread->frame;
    call->outer_instruction = thread->instruction;
    thread->busy = Py_NewRef(call->site);
    thread->frame = (intptr_t)frame;
    thread->instruction = key.instruction;
    return 1;
}

static void
leave_thread(Call *call)
{
    Py_XSETREF(call->thread->calling, call->outer_calling);
    Py_DECREF(call->thread);
}

static void
end(Call *call)
{
    Py_XSETREF(call->thread->busy, call->outer);
    call->thread->frame = call->outer_frame;
    call->thread->instruction = call->outer_instruction;
    leave_thread(call);
    Py_DECREF(call->site);
}

static PyObject *counted(StandIn *self, PyObject *const *args, size_t nargsf, PyObject *kwnames);

static PyObject *
call_twin(const Place *place, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    return place->twin == NULL ? place->called_before(place->function, args, nargsf, kwnames)
                               : PyObject_Vectorcall(place->twin, args, nargsf, kwnames);
}

static PyObject *
call_original(const Call *call)
{
    StandIn *below = call->stand_in->below;

    if (call->stand_in->wrapped != NULL) {
        return PyObject_Vectorcall(call->stand_in->wrapped, call->args, call->nargsf, call->kwnames);
    }
    return below == NULL ? call_twin(call->place, call->args, call->nargsf, call->kwnames)
                         : counted(below, call->args, call->nargsf, call->kwnames);
}

/* Python code of the tool's own is not for a function that the program has set with sys.settrace or sys.setprofile. */
static void
let_nobody_watch(void)
{
#if PY_VERSION_HEX >= 0x030B0000
    PyThreadState_EnterTracing(PyThreadState_Get());
#else
    PyThreadState_Get()->tracing++;
#endif
}

static void
let_watch_again(void)
{
#if PY_VERSION_HEX >= 0x030B0000
    PyThreadState_LeaveTracing(PyThreadState_Get());
#else
    PyThreadState_Get()->tracing--;
#endif
}

/* Return the time in seconds; 0 if there is no memory for it. */
static double
seconds(void)
{
    PyObject *now = PyObject_CallNoArgs(perf_counter);
    double value = now == NULL ? 0 : PyFloat_AsDouble(now);

    Py_XDECREF(now);
    PyErr_Clear();
    return value;
}

/* Call the original; of a line's calls all but the first are timed in turn. */
static PyObject *
call_timed(Call *call)
{
    Counter *counter = call->stand_in->counter;
    int many = call->nth > counter->closely;

    if (many && (call->nth & counter->untimed)) {
        return call_original(call);
    }
    double began = seconds();
    PyObject *result = call_original(call);
    if (result != NULL) {
        call->seconds = (seconds() - began) * (double)(many ? counter->untimed + 1 : 1);
    }
    return result;
}

/* Return what a call converts, as a borrowed reference, and how many of the references to it are the call's own: the
 * caller's stack, or the tuple that it made of its arguments, has one. What is passed by keyword is never taken for
 * an object that nobody else has, in Python either, where the arguments' dictionary has it, too. */
static PyObject *
source_of(const Call *call, Py_ssize_t *own)
{
    StandIn *self = call->stand_in;
    PyObject *source = NULL;

    if (self->position < PyVectorcall_NARGS(call->nargsf)) {
        *own = 1;
        return call->args[self->position];
    }
    *own = -2;
    if (call->kwnames != NULL) {
        source = keyword_argument(call, self->keyword);
    }
    if (source == NULL && self->made >= 0 && PyVectorcall_NARGS(call->nargsf) > 1) {
        source = call->args[1]; /* pl.Series(values), which may have a name before them */
    }
    return source == NULL ? Py_None : source;
}

/* Return the cell that a call belongs to, with its bytes added; NULL with an error. */
static Cell *
classify_call(const Call *call, PyObject *source, PyObject *result)
{
    Counter *counter = call->stand_in->counter;
    Cell *cell = cell_as_before(counter, call->site, source, result);

    if (cell == NULL && !PyErr_Occurred()) {
        PyObject *fresh = Py_REFCNT(result) == 1 ? Py_True : Py_False; /* nobody but this call has it */
        PyObject *arguments[] = {call->site, source, result, fresh};
        cell = (Cell *)PyObject_Vectorcall(counter->classify, arguments, 4, NULL);
    }
    if (cell != NULL && (call->thread->allocated || call->thread->moved)) {
        PyObject *arguments[] = {(PyObject *)counter, (PyObject *)call->thread, call->site, (PyObject *)cell, result};
        Py_SETREF(cell, (Cell *)PyObject_VectorcallMethod(str_correct, arguments, 5, NULL));
    }
    return cell;
}

static int
inspect_closely(const Call *call, Cell *cell, PyObject *source, PyObject *result, Py_ssize_t own)
{
    PyObject *held = PyLong_FromSsize_t(Py_REFCNT(source) - own);

    if (held == NULL) {
        return -1;
    }
    PyObject *arguments[] = {
        (PyObject *)call->stand_in->counter, call->site, (PyObject *)cell, source, result, held,
    };
    PyObject *done = PyObject_VectorcallMethod(str_inspect_closely, arguments, 6, NULL);
    Py_DECREF(held);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Count a call that gave a result; -1 with an error. */
static int
count(const Call *call, PyObject *result)
{
    Py_ssize_t own, made = call->stand_in->made;
    PyObject *source = source_of(call, &own);
    if (made >= 0 && made < PyVectorcall_NARGS(call->nargsf)) { /* an __init__ returns nothing */
        result = call->args[made];
    }
    Cell *cell = classify_call(call, source, result);
    int failed = cell == NULL;

    if (!failed) {
        cell->calls++;
        cell->seconds += call->seconds;
        failed = cell->calls >= cell->next && inspect_closely(call, cell, source, result, own) < 0;
    }
    Py_XDECREF(cell);
    return failed ? -1 : 0;
}

/* Put the error aside, count a call that raised, and raise it again. */
static void
count_refused(const Call *call)
{
    Counter *counter = call->stand_in->counter;
    PyObject *arguments[] = {(PyObject *)counter, call->site}, *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    call->thread->allocated = call->thread->moved = 0;
    PyObject *done = PyObject_VectorcallMethod(str_refused, arguments, 2, NULL);
    if (done == NULL && forget_failure(counter) < 0) { /* Ctrl-C comes before what the original raised */
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        return;
    }
    Py_XDECREF(done);
    PyErr_Restore(type, value, traceback);
}

static PyObject *
counted(StandIn *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    Call call = {.stand_in = self, .place = self->place, .args = args, .nargsf = nargsf, .kwnames = kwnames};
    Counter *counter = self->counter;
    PyObject *result = NULL;

    Py_INCREF(self); /* it may be left, and let go, during the call */
    let_nobody_watch();
    int begun = begin(&call), stopped = begun < 0 && forget_failure(counter) < 0;
    let_watch_again();
    if (begun <= 0) {
        result = stopped ? NULL : call_original(&call);
        if (call.thread != NULL) {
            leave_thread(&call);
        }
        Py_DECREF(self);
        return result;
    }
    result = call_timed(&call);
    let_nobody_watch();
    if (result != NULL) {
        /* conversions made while a call is classified are not the program's */
        Py_XSETREF(call.thread->busy, Py_NewRef(counter->classifying));
        if (count(&call, result) < 0 && forget_failure(counter) < 0) {
            Py_CLEAR(result);
        }
    }
    if (result == NULL) {
        count_refused(&call);
    }
    end(&call);
    let_watch_again();
    Py_DECREF(self);
    return result;
}

/* ---- Place: what is called in place of a function ---------------------------------------------------------------- */

#define PLACES 64 /* functions that can be counted in one process; the catalogue has 38 */
#define FEW 8

static Place places[PLACES];

static PyObject *
call_at(const Place *place, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    return place->stand_in == NULL ? call_twin(place, args, nargsf, kwnames)
                                   : counted(place->stand_in, args, nargsf, kwnames);
}

/* Call what is defined at a place, a method with its object first. */
static PyObject *
call_defined(const Place *place, PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    if (!Py_IS_TYPE(place->function, &PyMethodDescr_Type)) {
        return call_at(place, args, (size_t)count, kwnames);
    }
    Py_ssize_t all = 1 + count + (kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames));
    PyObject *few[FEW], **together = all <= FEW ? few : PyMem_New(PyObject *, (size_t)all);

    if (together == NULL) {
        return PyErr_NoMemory();
    }
    together[0] = self;
    for (Py_ssize_t i = 1; i < all; i++) {
        together[i] = args[i - 1];
    }
    PyObject *result = call_at(place, together, (size_t)(1 + count), kwnames);
    if (together != few) {
        PyMem_Free(together);
    }
    return result;
}

/* What is called knows the object that it is bound to, or nothing at all. For it to know its place, each has functions of
 * its own: defined_00 to defined_77, with_one_00 to with_one_77 and called_00 to called_77, numbered in octal.
 *
 * What takes one argument or none is defined so here, too: Python refuses others, and Python 3.13 takes it for the
 * signature that inspect shows. */
#define FUNCTIONS(n)                                                                                                   \
    static PyObject *defined_##n(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)           \
    {                                                                                                                  \
        return call_defined(&places[0##n], self, args, count, kwnames);                                                \
    }                                                                                                                  \
    static PyObject *with_one_##n(PyObject *self, PyObject *argument)                                                  \
    {                                                                                                                  \
        return call_defined(&places[0##n], self, &argument, argument != NULL, NULL);                                   \
    }                                                                                                                  \
    static PyObject *called_##n(PyObject *Py_UNUSED(function), PyObject *const *args, size_t nargsf,                   \
                                PyObject *kwnames)                                                                     \
    {                                                                                                                  \
        return call_at(&places[0##n], args, nargsf, kwnames);                                                          \
    }
#define DEFINED(n) AS_METHOD(defined_##n),
#define WITH_ONE(n) with_one_##n,
#define CALLED(n) called_##n,
#define EIGHT(X, n) X(n##0) X(n##1) X(n##2) X(n##3) X(n##4) X(n##5) X(n##6) X(n##7)
#define ALL(X) EIGHT(X, 0) EIGHT(X, 1) EIGHT(X, 2) EIGHT(X, 3) EIGHT(X, 4) EIGHT(X, 5) EIGHT(X, 6) EIGHT(X, 7)
ALL(FUNCTIONS)
static const PyCFunction defined_functions[PLACES] = {ALL(DEFINED)};
static const PyCFunction with_one_functions[PLACES] = {ALL(WITH_ONE)};
static const vectorcallfunc called_functions[PLACES] = {ALL(CALLED)};

/* How several arguments are passed, as a definition's flags say it. */
#define PASSED (METH_VARARGS | METH_KEYWORDS | METH_FASTCALL | METH_METHOD)

/* Return 1 for a function of Cython's: its tp_call is not PyVectorcall_Call, and asks the same slot.
 *
 * https://github.com/cython/cython/blob/3.1.0/Cython/Utility/CythonFunction.c (__Pyx_CyFunction_CallAsMethod) */
static int
is_of_cython(const PyTypeObject *type)
{
    const char *dot = strrchr(type->tp_name, '.');

    return strcmp(dot == NULL ? type->tp_name : dot + 1, "cython_function_or_method") == 0;
}

/* Python hashes and compares builtin functions, bound methods among them, by the C function that their definition names.
 * A set or dict made before a function was taken, numpy's of what __array_function__ overrides, must find it again:
 * so these two answer of a definition that lies here as of the one before it. They stay as places do, for good. */
static hashfunc hash_before;
static richcmpfunc compare_before;

/* Have a function point to the definition that it had before, if it points to one that lies here. Return what it points
 * to now. */
static PyMethodDef *
uncover(PyObject *function)
{
    PyMethodDef **points_at = &((PyCFunctionObject *)function)->m_ml, *now = *points_at;

    if ((char *)now >= (char *)places && (char *)now < (char *)(places + PLACES)) {
        *points_at = ((Place *)((char *)now - offsetof(Place, definition)))->before;
    }
    return now;
}

static Py_hash_t
hash_uncovered(PyObject *function)
{
    PyMethodDef *now = uncover(function);
    Py_hash_t hash = hash_before(function);

    ((PyCFunctionObject *)function)->m_ml = now;
    return hash;
}

static PyObject *
compare_uncovered(PyObject *function, PyObject *other, int operation)
{
    if (!PyCFunction_Check(other)) {
        return compare_before(function, other, operation);
    }
    PyMethodDef *now = uncover(function), *others = uncover(other);
    PyObject *result = compare_before(function, other, operation);

    ((PyCFunctionObject *)other)->m_ml = others;
    ((PyCFunctionObject *)function)->m_ml = now;
    return result;
}

static void
hash_and_compare_as_before(void)
{
    if (hash_before == NULL) {
        hash_before = PyCFunction_Type.tp_hash;
        compare_before = PyCFunction_Type.tp_richcompare;
        PyCFunction_Type.tp_hash = hash_uncovered;
        PyCFunction_Type.tp_richcompare = compare_uncovered;
    }
}

/* Fill in what is known of a function that may be taken; -1 with an error. */
static int
survey(Place *place, PyObject *function)
{
    PyTypeObject *type = Py_TYPE(function);

    if (PyCFunction_CheckExact(function)) {
        PyCFunctionObject *builtin = (PyCFunctionObject *)function;
        place->points_at = &builtin->m_ml;
        place->slot = &builtin->vectorcall;
        place->twin = PyCFunction_NewEx(builtin->m_ml, builtin->m_self, builtin->m_module);
    }
    else if (Py_IS_TYPE(function, &PyMethodDescr_Type)) {
        PyMethodDescrObject *method = (PyMethodDescrObject *)function;
        place->points_at = &method->d_method;
        place->slot = &method->vectorcall;
        place->twin = PyDescr_NewMethod(PyDescr_TYPE(method), method->d_method);
    }
    else if (!PyFunction_Check(function) && PyType_HasFeature(type, Py_TPFLAGS_HAVE_VECTORCALL)
             && (type->tp_call == PyVectorcall_Call || is_of_cython(type)) && PyVectorcall_Function(function) != NULL) {
        place->slot = (vectorcallfunc *)((char *)function + type->tp_vectorcall_offset);
    }
    else {
        PyErr_SetString(PyExc_TypeError, "only what is called through a slot, and is not written in Python");
    }
    return PyErr_Occurred() ? -1 : 0;
}

/* Return the place of a function, which is kept and found again; NULL with an error. */
static Place *
place_for(PyObject *function)
{
    for (int i = 0; i < PLACES; i++) {
        Place *place = &places[i];
        if (place->function == NULL) {
            if (survey(place, function) < 0) {
                return NULL;
            }
            place->called_before = *place->slot;
            if (place->points_at != NULL) {
                hash_and_compare_as_before();
                place->before = *place->points_at;
                place->definition = *place->before;
                if (place->before->ml_flags & (METH_NOARGS | METH_O)) {
                    place->definition.ml_meth = with_one_functions[i];
                }
                else {
                    place->definition.ml_meth = defined_functions[i];
                    place->definition.ml_flags = (place->before->ml_flags & ~PASSED) | METH_FASTCALL | METH_KEYWORDS;
                }
            }
            place->function = Py_NewRef(function);
        }
        if (place->function == function) {
            return place;
        }
    }
    PyErr_SetString(PyExc_ValueError, "there are no places left");
    return NULL;
}

static void
take(StandIn *self, Place *place)
{
    self->place = place;
    self->below = place->stand_in;
    place->stand_in = self;
    *place->slot = called_functions[place - places];
    if (place->points_at != NULL) {
        *place->points_at = &place->definition;
    }
}

/* Count no more; the function is called as before when nobody else counts its calls. */
static void
leave(StandIn *self)
{
    Place *place = self->place;

    if (place == NULL) {
        return;
    }
    for (StandIn **at = &place->stand_in; *at != NULL; at = &(*at)->below) {
        if (*at == self) {
            *at = self->below;
            break;
        }
    }
    self->place = NULL;
    self->below = NULL;
    if (place->stand_in == NULL) {
        *place->slot = place->called_before;
        if (place->points_at != NULL) {
            *place->points_at = place->before;
        }
    }
}

static PyObject *
stand_in_leave(StandIn *self, PyObject *Py_UNUSED(ignored))
{
    leave(self);
    Py_RETURN_NONE;
}

static int
stand_in_traverse(StandIn *self, visitproc visit, void *arg)
{
    Py_VISIT(self->wrapped);
    Py_VISIT(self->hook);
    Py_VISIT(self->conversion);
    Py_VISIT(self->keyword);
    Py_VISIT(self->variants);
    Py_VISIT(self->counter);
    return 0;
}

/* What it counts with stays until it is let go: a call may be at it. */
static int
stand_in_clear(StandIn *self)
{
    leave(self);
    return 0;
}

static void
stand_in_dealloc(StandIn *self)
{
    PyObject_GC_UnTrack(self);
    leave(self);
    Py_CLEAR(self->wrapped);
    Py_CLEAR(self->hook);
    Py_CLEAR(self->conversion);
    Py_CLEAR(self->keyword);
    Py_CLEAR(self->variants);
    Py_CLEAR(self->counter);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef stand_in_methods[] = {
    {"leave", AS_METHOD(stand_in_leave), METH_NOARGS, "Count no more: the function is called as before."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject StandInType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tensorbridge_cli.tracing.inside._counting.StandIn",
    .tp_doc = "What counts the calls of a function.",
    .tp_basicsize = sizeof(StandIn),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = (traverseproc)stand_in_traverse,
    .tp_clear = (inquiry)stand_in_clear,
    .tp_dealloc = (destructor)stand_in_dealloc,
    .tp_methods = stand_in_methods,
};

static StandIn *
new_stand_in(Counter *counter, PyObject *hook)
{
    StandIn *self = PyObject_GC_New(StandIn, &StandInType);

    if (self == NULL) {
        return NULL;
    }
    self->wrapped = NULL;
    self->place = NULL;
    self->below = NULL;
    self->counter = (Counter *)Py_NewRef((PyObject *)counter);
    self->hook = Py_NewRef(hook);
    self->conversion = PyObject_GetAttr(hook, str_conversion);
    self->keyword = PyObject_GetAttr(hook, str_keyword);
    self->variants = PyObject_GetAttr(hook, str_variants);
    self->position = (Py_ssize_t)as_number(PyObject_GetAttr(hook, str_position));
    self->made = (Py_ssize_t)as_number(PyObject_GetAttr(hook, str_result));
    PyObject_GC_Track(self);
    return self;
}

/* Return 1 if a hook's variants are tuples of a keyword, its value, and a conversion. */
static int
is_usable(const StandIn *self)
{
    if (PyErr_Occurred() || !PyUnicode_Check(self->keyword) || !PyTuple_Check(self->variants) || self->position < 0) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->variants); i++) {
        PyObject *variant = PyTuple_GET_ITEM(self->variants, i);
        if (!PyTuple_Check(variant) || PyTuple_GET_SIZE(variant) != 3
            || !PyUnicode_Check(PyTuple_GET_ITEM(variant, 0))) {
            return 0;
        }
    }
    return 1;
}

/* Parse the arguments of stand_in and of wrap; NULL with an error. */
static StandIn *
parse(PyObject *args, PyObject **function)
{
    PyObject *hook;
    Counter *counter;

    if (!PyArg_ParseTuple(args, "O!OO", &CounterType, &counter, function, &hook)) {
        return NULL;
    }
    if (counter->classify == NULL || counter->classifying == NULL) {
        PyErr_SetString(PyExc_ValueError, "the counter has nothing to classify with");
        return NULL;
    }
    StandIn *self = new_stand_in(counter, hook);
    if (self != NULL && !is_usable(self)) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "the hook is of no known form");
        }
        Py_CLEAR(self);
    }
    return self;
}

static PyObject *
stand_in(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *function;
    StandIn *self = parse(args, &function);
    Place *place = self == NULL ? NULL : place_for(function);

    if (place == NULL) {
        Py_XDECREF(self);
        return NULL;
    }
    take(self, place);
    return (PyObject *)self;
}

/* ---- Wrapper: what is put where a function is bound that is written in Python ------------------------------------- */

/* Python runs such a function without asking its slot, so that its calls can be counted only by what is not one. All that
 * a program can ask of it is the function's, and no frame stands before that of the function. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function, *weakrefs;
    StandIn *stand_in;
} Wrapper;

static PyObject *
wrapper_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    return counted(((Wrapper *)self)->stand_in, args, nargsf, kwnames);
}

/* Only how it is bound, and pickled by its name, is its own. */
static PyObject *
wrapper_getattro(PyObject *self, PyObject *name)
{
    const char *own[] = {"__get__", "__call__", "__reduce__", "__reduce_ex__"};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, own[i]) == 0) {
            return PyObject_GenericGetAttr(self, name);
        }
    }
    return PyObject_GetAttr(((Wrapper *)self)->function, name);
}

static int
wrapper_setattro(PyObject *self, PyObject *name, PyObject *value)
{
    return PyObject_SetAttr(((Wrapper *)self)->function, name, value);
}

static PyObject *
wrapper_get(PyObject *self, PyObject *instance, PyObject *Py_UNUSED(owner))
{
    return instance == NULL || Py_IsNone(instance) ? Py_NewRef(self) : PyMethod_New(self, instance);
}

/* It is equal to the function: a table of what __torch_function__ is to do is made with one and asked with the other. */
static PyObject *
wrapper_richcompare(PyObject *self, PyObject *other, int operation)
{
    int same = other == self || other == ((Wrapper *)self)->function;

    if (operation != Py_EQ && operation != Py_NE) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    return PyBool_FromLong(operation == Py_EQ ? same : !same);
}

static Py_hash_t
wrapper_hash(PyObject *self)
{
    return PyObject_Hash(((Wrapper *)self)->function);
}

static PyObject *
wrapper_repr(PyObject *self)
{
    return PyObject_Repr(((Wrapper *)self)->function);
}

static PyObject *
wrapper_reduce(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyObject_GetAttrString(((Wrapper *)self)->function, "__qualname__");
}

/* pydoc asks object.__getattribute__ for the documentation. */
static PyObject *
wrapper_doc(PyObject *self, void *Py_UNUSED(closure))
{
    return PyObject_GetAttrString(((Wrapper *)self)->function, "__doc__");
}

static int
wrapper_traverse(Wrapper *self, visitproc visit, void *arg)
{
    Py_VISIT(self->function);
    Py_VISIT(self->stand_in);
    return 0;
}

static void
wrapper_dealloc(Wrapper *self)
{
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    Py_CLEAR(self->function);
    Py_CLEAR(self->stand_in);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef wrapper_methods[] = {
    {"__reduce__", AS_METHOD(wrapper_reduce), METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef wrapper_getset[] = {
    {"__doc__", wrapper_doc, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject WrapperType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "function",
    .tp_basicsize = sizeof(Wrapper),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_vectorcall_offset = offsetof(Wrapper, vectorcall),
    .tp_weaklistoffset = offsetof(Wrapper, weakrefs),
    .tp_call = PyVectorcall_Call,
    .tp_descr_get = wrapper_get,
    .tp_getattro = wrapper_getattro,
    .tp_setattro = wrapper_setattro,
    .tp_richcompare = wrapper_richcompare,
    .tp_hash = wrapper_hash,
    .tp_repr = wrapper_repr,
    .tp_traverse = (traverseproc)wrapper_traverse,
    .tp_dealloc = (destructor)wrapper_dealloc,
    .tp_methods = wrapper_methods,
    .tp_getset = wrapper_getset,
};

static PyObject *
wrap(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *function;
    StandIn *stand_in = parse(args, &function);
    Wrapper *self = stand_in == NULL ? NULL : PyObject_GC_New(Wrapper, &WrapperType);

    if (self == NULL) {
        Py_XDECREF(stand_in);
        return NULL;
    }
    self->vectorcall = wrapper_call;
    self->function = Py_NewRef(function);
    self->weakrefs = NULL;
    self->stand_in = stand_in;
    stand_in->wrapped = Py_NewRef(function);
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

/* ---- the module -------------------------------------------------------------------------------------------------- */

static PyMethodDef functions[] = {
    {"stand_in", AS_METHOD(stand_in), METH_VARARGS,
     "stand_in(counter, function, hook)\n--\n\n"
     "Count the calls of a function, which stays what it is, until what is returned leaves or is let go."},
    {"wrap", AS_METHOD(wrap), METH_VARARGS,
     "wrap(counter, function, hook)\n--\n\n"
     "Return what is like the function, and counts its calls."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_counting",
    .m_doc = "The part of the recorder that is written in C.",
    .m_size = -1, /* one recorder a process: what is static here is not for subinterpreters */
    .m_methods = functions,
};

static int
intern_names(void)
{
#define INTERN(name)                                                                                                   \
    if ((str_##name = PyUnicode_InternFromString(#name)) == NULL) {                                                    \
        return -1;                                                                                                     \
    }
    NAMES(INTERN)
    PyObject *time = PyImport_ImportModule("time");
    perf_counter = time == NULL ? NULL : PyObject_GetAttrString(time, "perf_counter");
    Py_XDECREF(time);
    return perf_counter == NULL ? -1 : 0;
}

PyMODINIT_FUNC
PyInit__counting(void)
{
    if (intern_names() < 0 || PyType_Ready(&StandInType) < 0 || PyType_Ready(&WrapperType) < 0) {
        return NULL;
    }
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL || PyModule_AddType(module, &CellType) < 0 || PyModule_AddType(module, &ThreadType) < 0
        || PyModule_AddType(module, &CounterType) < 0) {
        Py_XDECREF(module);
        return NULL;
    }
    return module;
}
