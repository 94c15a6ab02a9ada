/* A Modbus TCP slave of libmodbus. It says how libmodbus reads what was written.
 *
 *   modbus_slave PORT
 */
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { REGISTERS = 1000 };

static void wrote(const modbus_mapping_t *m, int address, int quantity)
{
    const uint16_t *r = m->tab_registers + address;

    if (quantity == 2) {
        printf("float32 %d ABCD=%.9g CDAB=%.9g BADC=%.9g DCBA=%.9g\n", address, modbus_get_float_abcd(r),
               modbus_get_float_cdab(r), modbus_get_float_badc(r), modbus_get_float_dcba(r));
        printf("int32 %d ABCD=%d\n", address, (int) MODBUS_GET_INT32_FROM_INT16(r, 0));
    } else if (quantity == 4) {
        printf("int64 %d ABCD=%lld\n", address, (long long) MODBUS_GET_INT64_FROM_INT16(r, 0));
    } else if (quantity == 1) {
        printf("int16 %d ABCD=%d\n", address, (int) (int16_t) r[0]);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    modbus_t *ctx = modbus_new_tcp("127.0.0.1", argc > 1 ? atoi(argv[1]) : 1502);
    modbus_mapping_t *m = modbus_mapping_new(REGISTERS, REGISTERS, REGISTERS, REGISTERS);
    int s, n;

    if (ctx == NULL || m == NULL || (s = modbus_tcp_listen(ctx, 1)) < 0) {
        fprintf(stderr, "listen: %s\n", modbus_strerror(errno));
        return 1;
    }
    printf("slave is ready\n");
    fflush(stdout);
    while (modbus_tcp_accept(ctx, &s) >= 0) {
        while ((n = modbus_receive(ctx, request)) >= 0) {
            const uint8_t *pdu = request + modbus_get_header_length(ctx);
            if (n > 0 && modbus_reply(ctx, request, n, m) >= 0 && (pdu[0] == 0x06 || pdu[0] == 0x10))
                wrote(m, pdu[1] << 8 | pdu[2], pdu[0] == 0x06 ? 1 : pdu[3] << 8 | pdu[4]);
        }
        modbus_close(ctx);
    }
    return 0;
}
