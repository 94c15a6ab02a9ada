#!/bin/sh
# Makes the files of this directory anew, with openssl 3 and keytool. Passwords: the
# stores' is "changeit", that of the keys in separate.jks "keypass1".
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
rm -f ./*.pem ./*.key ./*.p12 ./*.jks ./*.jceks

ec="-newkey ec -pkeyopt ec_paramgen_curve:P-256"
sign() { # name extensions issuer issuer's key
	printf '%s\n' "$2" >"$tmp/ext"
	openssl x509 -req -in "$tmp/$1.csr" -CA "$3" -CAkey "$4" -CAcreateserial -CAserial "$tmp/serial" -days 36500 -extfile "$tmp/ext" -out "$1.pem"
}

openssl req -x509 $ec -nodes -days 36500 -subj "/CN=test root" -keyout "$tmp/root.key" -out root.pem -addext basicConstraints=critical,CA:true
openssl req $ec -nodes -subj "/CN=test issuer" -keyout "$tmp/issuer.key" -out "$tmp/issuer.csr"
sign issuer basicConstraints=critical,CA:true root.pem "$tmp/root.key"
openssl req $ec -nodes -subj "/CN=localhost" -keyout ec.key -out "$tmp/ec.csr"
sign ec subjectAltName=DNS:localhost issuer.pem "$tmp/issuer.key"
openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout rsa.key -out "$tmp/rsa.csr"
sign rsa subjectAltName=DNS:localhost issuer.pem "$tmp/issuer.key"
openssl req -newkey ed25519 -nodes -subj "/CN=localhost" -keyout ed25519.key -out "$tmp/ed25519.csr"
sign ed25519 subjectAltName=DNS:localhost issuer.pem "$tmp/issuer.key"

cat root.pem ec.key issuer.pem ec.pem >mixed.pem
openssl pkey -in rsa.key -traditional -out rsa-pkcs1.key
openssl ec -in ec.key -out ec-sec1.key
openssl pkcs8 -topk8 -in ec.key -passout pass:changeit -out encrypted-pkcs8.key
openssl rsa -aes128 -traditional -in rsa.key -passout pass:changeit -out encrypted-pkcs1.key
cat issuer.pem root.pem >"$tmp/chain.pem"
for kind in ec rsa ed25519; do
	openssl pkcs12 -export -in $kind.pem -inkey $kind.key -certfile "$tmp/chain.pem" -name $kind -passout pass:changeit -out openssl-$kind.p12
done
openssl pkcs12 -export -legacy -in rsa.pem -inkey rsa.key -certfile "$tmp/chain.pem" -name rsa -passout pass:changeit -out openssl-legacy.p12

import() { # store type alias [key's password]
	keytool -importkeystore -noprompt -srckeystore "openssl-$3.p12" -srcstoretype PKCS12 -srcstorepass changeit -srcalias "$3" \
		-destkeystore "$1" -deststoretype "$2" -deststorepass changeit -destkeypass "${4:-changeit}"
}
import keytool.p12 PKCS12 rsa
import keytool.jks JKS rsa
import separate.jks JKS ec keypass1
import two.jks JKS ec && import two.jks JKS rsa
import two.p12 PKCS12 ec && import two.p12 PKCS12 rsa
import keytool.jceks JCEKS rsa
keytool -importcert -noprompt -alias root -file root.pem -keystore trust.jks -storetype JKS -storepass changeit
keytool -importcert -noprompt -alias root -file root.pem -keystore trust.p12 -storetype PKCS12 -storepass changeit
cp keytool.p12 renamed.jks
import mixed.p12 PKCS12 ec
keytool -importcert -noprompt -alias aroot -file root.pem -keystore mixed.p12 -storepass changeit
