#!/usr/bin/env python3
"""The other side of the exchange with boto3, at the server that AWS_ENDPOINT_URL_KMS names.

    peer.py key                          makes a key with an alias, and prints its ARN
    peer.py encrypt KEY CONTEXT BYTES    (CONTEXT in JSON, BYTES in hexadecimal) prints the ciphertext in hexadecimal
    peer.py decrypt KEY CONTEXT BYTES    prints the plaintext in hexadecimal
    peer.py datakey KEY CONTEXT          prints the ciphertext and the plaintext of a data key
    peer.py disable KEY
    peer.py delete KEY
"""

import json
import sys

import boto3

kms = boto3.client("kms")


def main(command, key=None, context="{}", data=""):
    context, data = json.loads(context), bytes.fromhex(data)
    if command == "key":
        arn = kms.create_key(Description="photos")["KeyMetadata"]["Arn"]
        kms.create_alias(AliasName="alias/photos", TargetKeyId=arn)
        print(arn)
    elif command == "encrypt":
        print(kms.encrypt(KeyId=key, EncryptionContext=context, Plaintext=data)["CiphertextBlob"].hex())
    elif command == "decrypt":
        print(kms.decrypt(KeyId=key, EncryptionContext=context, CiphertextBlob=data)["Plaintext"].hex())
    elif command == "datakey":
        made = kms.generate_data_key(KeyId=key, EncryptionContext=context, KeySpec="AES_256")
        print(made["CiphertextBlob"].hex(), made["Plaintext"].hex())
    elif command == "disable":
        # Here moto takes ids only.
        kms.disable_key(KeyId=key.split("/")[-1])
    elif command == "delete":
        kms.schedule_key_deletion(KeyId=key.split("/")[-1], PendingWindowInDays=7)
    else:
        sys.exit(f"no such command: {command}")


main(*sys.argv[1:])
