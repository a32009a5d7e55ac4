import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  mariadbGrantName,
  mariadbHost,
  mariadbName,
  postgresLiteral,
} from '../../../activities/sql/identifiers.js';
import { mariadbErrorKind } from '../../../activities/sql/mariadb-errors.js';
import { postgresErrorKind } from '../../../activities/sql/postgres-errors.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';

const failing = (fields: object, message = 'said the server') => Object.assign(new Error(message), fields);

const mariadbTable: [string, Error, string | undefined][] = [
  ['refused', failing({ code: 'ECONNREFUSED', errno: -111 }), 'Unavailable'],
  ['lost', failing({ code: 'PROTOCOL_CONNECTION_LOST', fatal: true }), 'Unavailable'],
  ['connect timeout', failing({ code: 'ETIMEDOUT' }), 'Unavailable'],
  ['too many connections', failing({ code: 'ER_CON_COUNT_ERROR', errno: 1040 }), 'Unavailable'],
  ['shutdown', failing({ errno: 1053 }), 'Unavailable'],
  ['lock wait timeout', failing({ errno: 1205 }), 'Unavailable'],
  ['wrong password', failing({ code: 'ER_ACCESS_DENIED_ERROR', errno: 1045 }), 'Unauthorized'],
  ['host not allowed', failing({ errno: 1130 }), 'Unauthorized'],
  ['privilege missing', failing({ errno: 1227 }), 'Unauthorized'],
  ['disk full', failing({ errno: 1021 }), 'CapacityExceeded'],
  [
    'ENOSPC of an engine',
    failing({ errno: 1030 }, 'Got error 28 "No space left on device" from storage engine InnoDB'),
    'CapacityExceeded',
  ],
  [
    'ENOSPC at CREATE DATABASE',
    failing({ errno: 1006 }, "Can't create database 'client1' (errno: 28 \"No space left on device\")"),
    'CapacityExceeded',
  ],
  ['ENOSPC while writing', failing({ errno: 3 }, 'Error writing file ./x (Errcode: 28)'), 'CapacityExceeded'],
  ['table full', failing({ errno: 1114 }), 'CapacityExceeded'],
  ['database exists', failing({ errno: 1007 }), 'Conflict'],
  ['account exists', failing({ errno: 1396 }), 'Conflict'],
  ['no such database', failing({ errno: 1049 }), 'NotFound'],
  ['syntax error is a bug', failing({ errno: 1064 }), undefined],
  ['not an error of the driver', new TypeError('x is not a function'), undefined],
];

const postgresTable: [string, Error, string | undefined][] = [
  ['refused', failing({ code: 'ECONNREFUSED' }), 'Unavailable'],
  ['lost', failing({ code: 'CONNECTION_CLOSED' }), 'Unavailable'],
  ['connect timeout', failing({ code: 'CONNECT_TIMEOUT' }), 'Unavailable'],
  ['protocol violation of a dying server', failing({ code: '08P01' }), 'Unavailable'],
  ['starting up', failing({ code: '57P03' }), 'Unavailable'],
  ['too many connections', failing({ code: '53300' }), 'Unavailable'],
  ['lock timeout', failing({ code: '55P03' }), 'Unavailable'],
  ['catalogue met by two', failing({ code: 'XX000' }, 'tuple concurrently updated'), 'Unavailable'],
  ['internal error', failing({ code: 'XX000' }, 'cache lookup failed'), undefined],
  ['wrong password', failing({ code: '28P01' }), 'Unauthorized'],
  ['pg_hba', failing({ code: '28000' }), 'Unauthorized'],
  ['privilege missing', failing({ code: '42501' }), 'Unauthorized'],
  ['disk full', failing({ code: '53100' }), 'CapacityExceeded'],
  ['database exists', failing({ code: '42P04' }), 'Conflict'],
  ['role exists', failing({ code: '42710' }), 'Conflict'],
  ['no such database', failing({ code: '3D000' }), 'NotFound'],
  ['syntax error is a bug', failing({ code: '42601' }), undefined],
];

for (const [title, error, kind] of mariadbTable) {
  test(`MariaDB, ${title}: ${kind ?? 'left as it is'}`, () => assert.equal(mariadbErrorKind(error), kind));
}
for (const [title, error, kind] of postgresTable) {
  test(`PostgreSQL, ${title}: ${kind ?? 'left as it is'}`, () =>
    assert.equal(postgresErrorKind(error), kind));
}

test('names outside the alphabet are refused before any quoting', () => {
  assert.equal(mariadbName('client42'), '`client42`');
  for (const name of [
    '',
    'Client1',
    'a`b',
    'a"b',
    'a b',
    "a'b",
    '1a',
    'a%',
    'a'.repeat(64),
    'a\n',
    'клиент',
  ]) {
    assert.throws(
      () => mariadbName(name),
      (error: Error) => kindOf(error) === 'InvalidInput',
      name,
    );
  }
  assert.equal(mariadbGrantName('a_b'), '`a\\_b`');
});

test('networks become the netmask form of MariaDB', () => {
  assert.equal(mariadbHost('10.213.0.16/28'), '10.213.0.16/255.255.255.240');
  assert.equal(mariadbHost('10.0.0.0/8'), '10.0.0.0/255.0.0.0');
  assert.equal(mariadbHost('10.1.2.3/32'), '10.1.2.3/255.255.255.255');
  for (const text of ['%', '10.0.0.0', '10.0.0.0/33', "10.0.0.0/8'", 'fd00::/64']) {
    assert.throws(
      () => mariadbHost(text),
      (error: Error) => kindOf(error) === 'InvalidInput',
      text,
    );
  }
});

test('literals keep quotes and backslashes', () => {
  assert.equal(postgresLiteral("it's"), "'it''s'");
  assert.equal(postgresLiteral("a\\'b"), "E'a\\\\''b'");
  assert.throws(
    () => postgresLiteral('a\0b'),
    (error: Error) => kindOf(error) === 'InvalidInput',
  );
});
